"""What a profile consists of: operations that took time, some within others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from funcdiff import errors

FORWARD, REVERSE = "forward", "reverse"


class Place(NamedTuple):
    """A line of the user's program, and the function that it stands in."""

    file: str
    number: int
    function: str

    @property
    def text(self) -> str:
        """The line itself."""
        lines = errors.source_lines(self.file)
        return lines[self.number - 1].strip() if 0 < self.number <= len(lines) else ""

    def __str__(self) -> str:
        name = self.file.replace("\\", "/").rsplit("/", 1)[-1]
        return f"{name}:{self.number}: {self.text}" if self.text else f"{name}:{self.number}"


NOWHERE = Place("", 0, "")


@dataclass(slots=True)
class Event:
    """One operation: the evaluation of a primitive, or its part of a sweep."""

    name: str
    phase: str  # FORWARD or REVERSE
    place: Place
    start: int  # nanoseconds
    stop: int = 0
    inside: int = 0  # nanoseconds spent in events within this one
    bytes: int = 0  # of the results
    depth: int = 0  # how many events it stands within
    thread: int = 0

    @property
    def total(self) -> int:
        """Nanoseconds from start to stop."""
        return self.stop - self.start

    @property
    def own(self) -> int:
        """Nanoseconds without those of the events within."""
        return self.total - self.inside
