"""`Tape.draw`: pictures of tapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from funcdiff import errors
from funcdiff.core.tape import Tape
from funcdiff.picture import accumulation, folding
from funcdiff.picture.graph import Graph
from funcdiff.picture.layout import lay_out
from funcdiff.picture.scene import Scene
from funcdiff.picture.svg import animation, to_svg


class Picture:
    """A picture of a tape; notebooks show it by themselves.

    Attributes
    ----------
    svg : str
        The picture as SVG.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = lay_out(scene)

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        return to_svg(self._scene)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture: {self._scene.title}>"

    def save(self, path: str | Path) -> None:
        """Write the picture to a file: SVG, or what matplotlib writes (PNG, PDF)."""
        path = Path(path)
        if path.suffix == ".svg":
            path.write_text(self.svg, encoding="utf-8")
        else:
            from funcdiff.picture.raster import save

            save([self._scene], path)


class Pictures(Sequence["Picture"]):
    """The pictures of an accumulation, step by step; notebooks show them one after the other.

    Saved as SVG they are one animation; as PNG or PDF they stand below each other; as GIF they move.
    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._pictures = [Picture(scene) for scene in scenes]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, n: Any) -> Any:
        return self._pictures[n]

    def __repr__(self) -> str:
        return f"<{len(self)} pictures: {self[0]._scene.title}>"

    def _repr_html_(self) -> str:
        frames = "".join(f'<div style="flex: none">{p.svg}</div>' for p in self)
        return f'<div style="display: flex; flex-wrap: wrap; gap: 10px">{frames}</div>'

    @property
    def svg(self) -> str:
        """All of them as one SVG that moves."""
        return animation([p._scene for p in self])

    def save(self, path: str | Path) -> None:
        """Write all of them to one file."""
        path = Path(path)
        if path.suffix == ".svg":
            path.write_text(self.svg, encoding="utf-8")
        else:
            from funcdiff.picture.raster import save

            save([p._scene for p in self], path)


def draw(
    tape: Tape,
    path: str | Path | None = None,
    *,
    at: Sequence[Any] | None = None,
    values: bool | None = None,
    derivatives: bool = False,
    steps: str | None = None,
    wrt: int | str = 0,
    output: int = 0,
    fold: bool | None = None,
    direction: str = "down",
) -> Picture | Pictures:
    """Draw a tape."""
    _check(tape, path, at, values, steps, direction)
    known = accumulation.values_of(tape, at) if at is not None else None
    sideways = direction == "right"

    def make() -> Graph:
        graph = Graph(tape)
        if known is not None and values is not False:
            accumulation.write_values(graph, known)
        if derivatives or steps:
            accumulation.write_derivatives(graph, known)
        return graph

    picture: Picture | Pictures
    if steps is not None:
        assert at is not None
        picture = Pictures(
            [replace(s, sideways=sideways) for s in _frames(tape, at, make, steps, wrt, output)]
        )
    elif fold or (fold is None and len(tape) > folding.FROM):
        picture = Picture(replace(folding.folded_scene(tape, folding.fold(tape)), sideways=sideways))
    else:
        picture = Picture(replace(make().scene(), sideways=sideways))
    if path is not None:
        picture.save(path)
    return picture


def _frames(
    tape: Tape, at: Sequence[Any], make: Callable[[], Graph], steps: str, wrt: int | str, output: int
) -> list[Scene]:
    if steps == "reverse":
        if not -len(tape.outputs) <= output < len(tape.outputs):
            raise errors.UnsupportedError(
                f"draw(output={output}): {tape.name} has {len(tape.outputs)} outputs, counted from 0"
            )
        return accumulation.reverse_steps(tape, at, make, output)
    labels = [Graph(tape).labels.name(v) for v in tape.inputs]
    if isinstance(wrt, str):
        if wrt not in labels:
            raise errors.UnsupportedError(
                f"draw(wrt={wrt!r}): the inputs are {errors.enumerate_words(labels)}"
            )
        wrt = labels.index(wrt)
    if not -len(labels) <= wrt < len(labels):
        raise errors.UnsupportedError(
            f"draw(wrt={wrt}): {tape.name} has {len(labels)} inputs, {errors.enumerate_words(labels)}, counted from 0"
        )
    return accumulation.forward_steps(tape, at, make, wrt)


def _check(
    tape: Tape, path: str | Path | None, at: Any, values: bool | None, steps: str | None, direction: str
) -> None:
    if steps not in (None, "forward", "reverse"):
        raise errors.UnsupportedError(f'draw(steps={steps!r}): steps are "forward" or "reverse"')
    if direction not in ("down", "right"):
        raise errors.UnsupportedError(f'draw(direction={direction!r}): the direction is "down" or "right"')
    if at is None and (values or steps):
        word = "values=True" if values else f"steps={steps!r}"
        raise errors.UnsupportedError(
            f"draw({word}) needs the arguments to evaluate at, as a tuple: tape.draw({word}, at=(x, y))"
        )
    if at is not None and not isinstance(at, (tuple, list)):
        raise errors.UnsupportedError(
            f"draw(at=...) takes the arguments as a tuple, not {type(at).__name__}: at=(x,) for one argument"
        )
    kinds = (".svg", ".png", ".pdf", ".gif")
    if path is not None and Path(path).suffix not in kinds:
        raise errors.UnsupportedError(
            f"draw writes {errors.enumerate_words(kinds, 'or')}, not {Path(path).name!r}"
        )
