"""A profile as a picture: time from left to right, what it went into from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from funcdiff.profiler.events import REVERSE, Event
from funcdiff.profiler.tables import seconds

WIDTH, ROW, CHARACTER = 960, 24, 6.7
_STYLE = (
    ".fd-flame text {font: 11px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1c2733}"
    ".fd-flame rect {stroke: #ffffff; stroke-width: 1} .fd-flame .back {fill: #ffffff; stroke: #d8dee6}"
    ".fd-flame .root {fill: #e7eaee} .fd-flame .forward {fill: #a9d1f5} .fd-flame .reverse {fill: #f8c49a}"
    ".fd-flame .forward.deep {fill: #d3e8fb} .fd-flame .reverse.deep {fill: #fce3cf}"
    ".fd-flame g:hover > rect {stroke: #1c2733}"
)


@dataclass
class Flame:
    """A span of time, and the spans it consists of."""

    name: str
    phase: str = ""
    time: int = 0
    calls: int = 0
    parts: dict[str, Flame] = field(default_factory=dict)

    def add(self, names: Sequence[str], event: Event) -> None:
        """Add an event under the names that lead to it."""
        self.time += event.own
        self.calls += 1
        if names:
            part = self.parts.setdefault(names[0], Flame(names[0], event.phase))
            part.add(names[1:], event)


def tree(events: Sequence[Event]) -> Flame:
    """Add up events by phase, the user's function, line, and primitive."""
    root = Flame("all")
    for event in events:
        phase = "reverse sweep" if event.phase == REVERSE else "forward evaluation"
        root.add([phase, event.place.function or "?", str(event.place), event.name], event)
    return root


def to_svg(events: Sequence[Event]) -> str:
    """Draw the events."""
    root = tree(events)
    height = ROW * 5 + 16
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fd-flame" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="profile" style="max-width: 100%; height: auto">'
    )
    parts = [
        opening,
        f"<style>{_STYLE}</style>",
        f'<rect class="back" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
    ]
    if root.time:
        _draw(root, 8.0, WIDTH - 16.0, 8.0, 0, root.time, parts)
    parts.append("</svg>")
    return "\n".join(parts)


def _draw(flame: Flame, x: float, width: float, y: float, depth: int, whole: int, parts: list[str]) -> None:
    if width < 0.4:
        return
    kind = f"{flame.phase}{' deep' if depth % 2 == 0 else ''}" if flame.phase else "root"
    said = f"{flame.name}: {seconds(flame.time * 1e-9)}, {100 * flame.time / whole:.1f} %, {flame.calls} operations"
    fits = int((width - 8) / CHARACTER)
    text = (
        said if len(said) <= fits else flame.name if len(flame.name) <= fits else flame.name[: fits - 1] + "…"
    )
    label = f'<text x="{x + 4:.1f}" y="{y + 16:.1f}">{escape(text)}</text>' if fits >= 3 else ""
    parts.append(
        f'<g><title>{escape(said)}</title><rect class="{kind}" x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" '
        f'height="{ROW - 2}" rx="2"/>{label}</g>'
    )
    for part in sorted(flame.parts.values(), key=lambda p: -p.time):
        share = width * part.time / max(flame.time, 1)
        _draw(part, x, share, y + ROW, depth + 1, whole, parts)
        x += share
