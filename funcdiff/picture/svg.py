"""A scene as SVG; its style follows the page's colours, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from itertools import pairwise
from typing import Any

from funcdiff.picture.scene import DARK, FONT_SIZE, LIGHT, LINE, PADDING, SMALL, Edge, Node, Point, Scene

_FONT = "ui-monospace, 'SF Mono', SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_KINDS = ("input", "constant", "operation", "output", "block")


def to_svg(scene: Scene) -> str:
    """Write a scene."""
    width, height = round(scene.width), round(scene.height)
    opening = _opening(width, height, scene.title)
    return "\n".join([opening, f"<style>{style()}</style>", *contents(scene), "</svg>"])


SECONDS = 1.8  # a frame of an animation


def animation(scenes: Sequence[Scene]) -> str:
    """Write scenes as one picture that shows them in turn; the last one stays longest."""
    width, height = round(max(s.width for s in scenes)), round(max(s.height for s in scenes))
    total = SECONDS * (len(scenes) + 1)
    frames, rules = [], []
    for n, scene in enumerate(scenes):
        start = 100 * SECONDS * n / total
        stop = 100.0 if n == len(scenes) - 1 else 100 * SECONDS * (n + 1) / total
        before = f"0%, {start:.3f}% {{visibility: hidden}}" if n else ""
        after = "" if stop == 100 else f"{stop:.3f}%, 100% {{visibility: hidden}}"
        rules.append(
            f"@keyframes fd-frame-{len(scenes)}-{n} {{{before}{start + 0.001:.3f}%, {stop - 0.001:.3f}% "
            f"{{visibility: visible}}{after}}}"
        )
        timing = f"animation: fd-frame-{len(scenes)}-{n} {total:g}s linear infinite"
        hidden = "" if n == len(scenes) - 1 else "visibility: hidden; "  # where nothing moves: the last
        frames.append(f'<g style="{hidden}{timing}">')
        frames += contents(replace(scene, width=width, height=height))
        frames.append("</g>")
    return "\n".join(
        [
            _opening(width, height, scenes[0].title),
            f"<style>{style()}{''.join(rules)}</style>",
            *frames,
            "</svg>",
        ]
    )


def _opening(width: int, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fd-tape" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}" '
        f'style="max-width: 100%; height: auto" font-family="{_FONT}">'
    )


def contents(scene: Scene) -> list[str]:
    """Write what is inside of the picture."""
    width, height = round(scene.width), round(scene.height)
    parts = [
        f'<rect class="fd-back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="fd-title" x="20" y="26">{escape(scene.title)}</text>',
    ]
    parts += [_edge(edge, scene.sideways) for edge in scene.edges]
    parts += [_node(node) for node in scene.nodes]
    parts += [_label(edge) for edge in scene.edges if edge.label_at is not None]
    if scene.caption:
        parts.append(f'<text class="fd-caption" x="20" y="{height - 16}">{escape(scene.caption)}</text>')
    return parts


def style() -> str:
    """Return the style sheet: light, and dark where the reader or the page asks for it."""
    light, dark = _rules(LIGHT, ".fd-tape"), _rules(DARK, ".fd-tape")
    pages = "".join(
        _rules(DARK, f"{page} .fd-tape") for page in ("[data-theme=dark]", "[data-jp-theme-light=false]")
    )
    lights = "".join(
        _rules(LIGHT, f"{page} .fd-tape") for page in ("[data-theme=light]", "[data-jp-theme-light=true]")
    )
    fixed = (
        f".fd-tape text {{font-size: {FONT_SIZE:g}px}}"
        f".fd-tape .fd-small, .fd-tape .fd-mark, .fd-tape .fd-label {{font-size: {SMALL:g}px}}"
        ".fd-tape .fd-title {font-weight: 600} .fd-tape .fd-caption {font-size: 12.5px}"
        ".fd-tape .fd-name {font-weight: 600}"
        ".fd-tape .fd-edge {fill: none; stroke-width: 1.4} .fd-tape .fd-active .fd-edge {stroke-width: 2.4}"
        ".fd-tape .fd-faded {opacity: 0.45} .fd-tape .fd-box {stroke-width: 1.3}"
        ".fd-tape .fd-active .fd-box {stroke-width: 2.6}"
    )
    return fixed + light + f"@media (prefers-color-scheme: dark) {{{dark}}}" + lights + pages


def _rules(c: dict[str, Any], page: str) -> str:
    rules = [
        f"{page} .fd-back {{fill: {c['background']}; stroke: {c['frame']}}}",
        f"{page} text {{fill: {c['text']}}}",
        f"{page} .fd-small, {page} .fd-caption {{fill: {c['soft']}}}",
        f"{page} .fd-mark {{fill: {c['mark']}}}",
        f"{page} .fd-label {{fill: {c['label']}}}",
        f"{page} .fd-halo {{fill: {c['background']}}}",
        f"{page} .fd-edge {{stroke: {c['edge']}}} {page} .fd-head {{fill: {c['edge']}}}",
    ]
    for kind in _KINDS:
        fill, line = c[kind]
        rules.append(f"{page} .fd-{kind} .fd-box {{fill: {fill}; stroke: {line}}}")
    rules.append(f"{page} .fd-active .fd-edge, {page} .fd-active .fd-box {{stroke: {c['active']}}}")
    rules.append(f"{page} .fd-active .fd-head {{fill: {c['active']}}}")
    return "".join(rules)


def _classes(kind: str, thing: Node | Edge) -> str:
    return f"{kind}{' fd-active' if thing.active else ''}{' fd-faded' if thing.faded else ''}"


def _node(node: Node) -> str:
    left, top = node.x - node.width / 2, node.y - node.height / 2
    radius = node.height / 2 if node.kind == "input" and not node.lines and not node.marks else 7
    if node.kind in ("input", "output"):
        radius = min(node.height / 2, 16)
    box = f'x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" rx="{radius:g}"'
    dashed = ' stroke-dasharray="4 3"' if node.kind == "constant" else ""
    parts = [f'<g class="{_classes(f"fd-{node.kind}", node)}">']
    if node.tip:
        parts.append(f"<title>{escape(node.tip)}</title>")
    if node.kind == "block":
        parts.append(
            f'<rect class="fd-box" x="{left + 4:.1f}" y="{top + 4:.1f}" width="{node.width:.1f}" '
            f'height="{node.height:.1f}" rx="7"/>'
        )
    parts.append(f'<rect class="fd-box" {box}{dashed}/>')
    y = top + PADDING / 2 + LINE * 0.76
    texts = [
        ("fd-name", node.title),
        *(("fd-small", line) for line in node.lines),
        *(("fd-mark", mark) for mark in node.marks),
    ]
    for kind, text in texts:
        parts.append(
            f'<text class="{kind}" x="{node.x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'
        )
        y += LINE
    parts.append("</g>")
    return "".join(parts)


def _edge(edge: Edge, sideways: bool) -> str:
    path = curve(edge.points, sideways)
    text = f"M {path[0][0]:.1f} {path[0][1]:.1f}" + "".join(
        f" C {a[0]:.1f} {a[1]:.1f} {b[0]:.1f} {b[1]:.1f} {c[0]:.1f} {c[1]:.1f}"
        for a, b, c in zip(path[1::3], path[2::3], path[3::3], strict=True)
    )
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in arrow_head(edge.points, sideways))
    return (
        f'<g class="{_classes("fd-arrow", edge)}"><path class="fd-edge" d="{text}"/>'
        f'<polygon class="fd-head" points="{head}"/></g>'
    )


def _label(edge: Edge) -> str:
    assert edge.label_at is not None
    x, y = edge.label_at
    return (
        f'<g class="{_classes("fd-text", edge)}">'
        f'<rect class="fd-halo" x="{x - edge.label_width / 2:.1f}" y="{y - 9:.1f}" width="{edge.label_width:.1f}" '
        f'height="18" rx="4"/><text class="fd-label" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">'
        f"{escape(edge.label)}</text></g>"
    )


def curve(points: list[Point], sideways: bool) -> list[Point]:
    """Return Bézier points: between two stops an arrow leaves and arrives along the main direction."""
    path = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        if sideways:
            middle = (x0 + x1) / 2
            path += [(middle, y0), (middle, y1), (x1, y1)]
        else:
            middle = (y0 + y1) / 2
            path += [(x0, middle), (x1, middle), (x1, y1)]
    return path


def arrow_head(points: list[Point], sideways: bool) -> list[Point]:
    """Return the triangle at the end of an arrow."""
    x, y = points[-1]
    if sideways:
        return [(x, y), (x - 8, y - 3.6), (x - 8, y + 3.6)]
    return [(x, y), (x - 3.6, y - 8), (x + 3.6, y - 8)]
