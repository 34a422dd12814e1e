"""A tape as a picture: what `Tape.draw` calls."""

from funcdiff.picture.draw import Picture as Picture
from funcdiff.picture.draw import Pictures as Pictures
