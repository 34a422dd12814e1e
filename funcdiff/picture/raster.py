"""A scene through matplotlib: PNG, PDF, and moving GIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from funcdiff import errors
from funcdiff.picture.scene import FONT_SIZE, LIGHT, LINE, PADDING, SMALL, Edge, Node, Scene
from funcdiff.picture.svg import arrow_head, curve

SCALE = 72 / 96  # points in a pixel
FACTOR = 2  # pixels of the file for a pixel of the picture
SECONDS = 1.6  # a frame of an animation


def save(scenes: Sequence[Scene], path: FilePath) -> None:
    """Write one picture, several below each other, or an animation."""
    figures = _matplotlib()
    if path.suffix == ".gif":
        _save_animation(figures, scenes, path)
        return
    width = max(s.width for s in scenes)
    height = sum(s.height for s in scenes)
    figure = figures.Figure(figsize=(width / 96, height / 96), facecolor=LIGHT["background"])
    top = height
    for scene in scenes:
        top -= scene.height
        axes = figure.add_axes((0, top / height, scene.width / width, scene.height / height))
        draw(figures, axes, scene)
    figure.savefig(path, dpi=96 * FACTOR, facecolor=LIGHT["background"])


def _matplotlib() -> Any:
    try:
        import matplotlib.animation
        import matplotlib.figure
        import matplotlib.patches
        import matplotlib.path
    except ImportError as error:
        raise errors.MissingExtraError(
            'drawing a tape as PNG needs the package matplotlib: pip install "funcdiff[viz]"'
        ) from error

    class Matplotlib:
        """The names that are used."""

        Figure = matplotlib.figure.Figure
        Path = matplotlib.path.Path
        PathPatch = matplotlib.patches.PathPatch
        Polygon = matplotlib.patches.Polygon
        Box = matplotlib.patches.FancyBboxPatch
        Writer = matplotlib.animation.PillowWriter

    return Matplotlib


def _save_animation(figures: Any, scenes: Sequence[Scene], path: FilePath) -> None:
    width, height = max(s.width for s in scenes), max(s.height for s in scenes)
    figure = figures.Figure(figsize=(width / 96, height / 96), facecolor=LIGHT["background"])
    axes = figure.add_axes((0, 0, 1, 1))
    writer = figures.Writer(fps=1 / SECONDS)
    with writer.saving(figure, str(path), dpi=96):
        for scene in scenes:
            axes.clear()
            draw(figures, axes, scene)
            axes.set_xlim(0, width)
            axes.set_ylim(height, 0)
            writer.grab_frame()


def draw(figures: Any, axes: Any, scene: Scene) -> None:
    """Draw a scene on matplotlib axes."""
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_axis_off()
    _text(axes, 20, 22, scene.title, FONT_SIZE, "text", bold=True, left=True)
    for edge in scene.edges:
        _edge(figures, axes, edge, scene.sideways)
    for node in scene.nodes:
        _node(figures, axes, node)
    for edge in scene.edges:
        if edge.label_at is not None:
            x, y = edge.label_at
            halo = {"facecolor": LIGHT["background"], "edgecolor": "none", "pad": 1.5}
            _text(axes, x, y, edge.label, SMALL, "label", bbox=halo)
    if scene.caption:
        _text(axes, 20, scene.height - 20, scene.caption, 12.5, "soft", left=True)


def _text(
    axes: Any,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str,
    *,
    bold: bool = False,
    left: bool = False,
    bbox: Any = None,
) -> None:
    axes.text(
        x,
        y,
        text.replace("$", r"\$"),
        fontsize=size * SCALE,
        color=LIGHT[colour],
        ha="left" if left else "center",
        va="center",
        family="DejaVu Sans Mono",
        weight="bold" if bold else "normal",
        bbox=bbox,
        zorder=5,
    )


def _edge(figures: Any, axes: Any, edge: Edge, sideways: bool) -> None:
    colour = LIGHT["active"] if edge.active else LIGHT["edge"]
    points = curve(edge.points, sideways)
    codes = [figures.Path.MOVETO, *[figures.Path.CURVE4] * (len(points) - 1)]
    width = (2.4 if edge.active else 1.4) * SCALE
    axes.add_patch(
        figures.PathPatch(
            figures.Path(points, codes), fill=False, edgecolor=colour, linewidth=width, zorder=1
        )
    )
    axes.add_patch(figures.Polygon(arrow_head(edge.points, sideways), color=colour, linewidth=0, zorder=2))


def _node(figures: Any, axes: Any, node: Node) -> None:
    fill, line = LIGHT[node.kind]
    width, height = node.width, node.height
    radius = min(height / 2, 16) if node.kind in ("input", "output") else 7
    edge = LIGHT["active"] if node.active else line
    for offset in (4, 0) if node.kind == "block" else (0,):
        box = figures.Box(
            (node.x - width / 2 + offset, node.y - height / 2 + offset),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor=fill,
            edgecolor=edge,
            linewidth=(2.6 if node.active else 1.3) * SCALE,
            linestyle="--" if node.kind == "constant" else "-",
            alpha=0.45 if node.faded else 1,
            zorder=3,
        )
        axes.add_patch(box)
    y = node.y - height / 2 + PADDING / 2 + LINE / 2
    texts = [
        (node.title, FONT_SIZE, "text", True),
        *((line, SMALL, "soft", False) for line in node.lines),
        *((mark, SMALL, "mark", False) for mark in node.marks),
    ]
    for text, size, colour, bold in texts:
        _text(axes, node.x, y, text, size, colour, bold=bold)
        y += LINE
