"""What a program is: traced arrays, primitive kinds, recording, tapes, replay, printing."""
