"""The vocabulary: one declaration per primitive carries all its rules; one file per family."""
