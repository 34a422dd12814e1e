"""What a picture consists of, before it has coordinates and after; renderers read nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Point = tuple[float, float]

FONT_SIZE = 13.0
SMALL = 11.0
LINE = 17.0  # from one line of text to the next
CHARACTER = 0.61  # width of a character of a fixed-width font, in its size
PADDING = 11.0


@dataclass
class Node:
    """A box: an input, a constant, an operation, an output, or several steps folded into one."""

    key: str
    kind: str  # "input", "constant", "operation", "output" or "block"
    title: str
    lines: list[str] = field(default_factory=list)  # smaller, below the title
    marks: list[str] = field(default_factory=list)  # what accumulation has found here, below that
    tip: str = ""  # shown when pointed at
    active: bool = False
    faded: bool = False
    least_width: float = 0.0  # so that a box is as wide in all pictures of a sequence
    x: float = 0.0  # of the centre
    y: float = 0.0

    @property
    def width(self) -> float:
        """Width of the box."""
        small = max((len(t) for t in (*self.lines, *self.marks)), default=0) * SMALL
        return max(max(len(self.title) * FONT_SIZE, small) * CHARACTER + 2 * PADDING, self.least_width)

    @property
    def height(self) -> float:
        """Height of the box."""
        return LINE * (1 + len(self.lines) + len(self.marks)) + PADDING


@dataclass
class Edge:
    """An arrow from what is read to what reads it, with a label in the middle."""

    source: str
    target: str
    label: str = ""
    active: bool = False
    faded: bool = False
    points: list[Point] = field(default_factory=list)
    label_at: Point | None = None

    @property
    def label_width(self) -> float:
        """Width of the label."""
        return len(self.label) * SMALL * CHARACTER + 8


@dataclass
class Scene:
    """Nodes and edges with coordinates."""

    title: str
    nodes: list[Node]
    edges: list[Edge]
    caption: str = ""
    words: int = 0  # characters that the caption has at most, in a sequence of pictures
    sideways: bool = False  # read from left to right, not downwards
    width: float = 0.0
    height: float = 0.0


LIGHT: dict[str, Any] = {
    "background": "#ffffff",
    "frame": "#d8dee6",
    "text": "#1c2733",
    "soft": "#5b6877",
    "edge": "#8593a3",
    "label": "#8a4b08",
    "active": "#d9480f",
    "mark": "#b3390a",
    "input": ("#e3f0fd", "#2f7fc4"),
    "constant": ("#f1f2f4", "#8b96a3"),
    "operation": ("#fffdf7", "#a89a78"),
    "output": ("#e4f6e6", "#2f9147"),
    "block": ("#f1ebfb", "#7f5fb8"),
}
DARK: dict[str, Any] = {
    "background": "#14191f",
    "frame": "#303b47",
    "text": "#e8edf3",
    "soft": "#9fadbc",
    "edge": "#76869a",
    "label": "#f2b263",
    "active": "#ff9254",
    "mark": "#ffab78",
    "input": ("#12314d", "#5aa9ea"),
    "constant": ("#252c34", "#7d8a98"),
    "operation": ("#26241d", "#a3946c"),
    "output": ("#143a20", "#56c274"),
    "block": ("#2c2344", "#a98be0"),
}
