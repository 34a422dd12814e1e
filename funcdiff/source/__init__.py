"""A tape as NumPy source that a person would write: what `Tape.to_source` calls."""
