"""The commands of ``python -m funcdiff`` on a function of the user's."""
