"""The tape optimiser: one pass per file, each takes a tape and returns one that means the same."""
