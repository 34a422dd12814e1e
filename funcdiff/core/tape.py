"""`Tape`: a program as data, in SSA form.

Records are frozen; what a tape means is said by `replay.run` alone, what a legal tape is by
`validate.check`, how it reads by `show`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from funcdiff.core.records import Atom, Guard, Literal, Record, Variable
from funcdiff.core.trees import AnyTree

if TYPE_CHECKING:
    from funcdiff.core.stats import TapeStats

__all__ = ["Atom", "Guard", "Literal", "Record", "Tape", "Variable", "bodies", "variables"]


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A recorded program.

    Attributes
    ----------
    name : str
        Name of the function.
    inputs : tuple of Variable
        The leaves of the arguments.
    records : tuple of Record
        The steps, in the order in which they ran.
    outputs : tuple of Variable or Literal
        The leaves of the result.
    guards : tuple of Guard
        What Python's control flow decided on.
    in_tree, out_tree : structures
        How arguments and results are nested.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> tape = fd.trace(lambda x: 2 * np.exp(x))(np.zeros(3))
    >>> [record.primitive.name for record in tape.records]
    ['exp', 'multiply']
    """

    name: str
    inputs: tuple[Variable, ...]
    records: tuple[Record, ...]
    outputs: tuple[Atom, ...]
    guards: tuple[Guard, ...]
    in_tree: AnyTree
    out_tree: AnyTree
    input_names: tuple[str, ...] = field(default=())
    line: str = ""  # where it was recorded from

    def __str__(self) -> str:
        from funcdiff.core.show import show

        return show(self)

    def __repr__(self) -> str:
        return f"<Tape of {self.name}: {len(self.records)} records, {len(self.guards)} guards>"

    def __len__(self) -> int:
        return len(self.records)

    def run(self, *args: Any) -> Any:
        """Replay the program on other arguments.

        Parameters
        ----------
        *args : array or nested containers of arrays
            Of the structure, shapes and dtypes the tape was recorded with; they may be traced, so a
            replayed tape can be differentiated and mapped.

        Returns
        -------
        array or nested containers of arrays
            What the function returned, for these arguments.

        Raises
        ------
        TapeError
            If the arguments do not fit, or a guard fails: Python's control flow would have taken
            another path, which this tape does not hold.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> tape = fd.trace(lambda x: x * x)(np.zeros(3))
        >>> tape.run(np.array([1.0, 2.0, 3.0]))
        array([1., 4., 9.])
        """
        from funcdiff.core.replay import run

        return run(self, args)

    def stats(self) -> TapeStats:
        """Count records, elementary operations and bytes.

        Returns
        -------
        TapeStats
            With `records`, `guards`, `flops`, `bytes` and the count of each primitive; it prints as a line.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> stats = fd.trace(lambda x: np.sum(x * x))(np.zeros(3)).stats()
        >>> stats.records, stats.guards
        (2, 0)
        """
        from funcdiff.core.stats import stats

        return stats(self)

    def validate(self) -> None:
        """Check that the tape is legal.

        Raises
        ------
        TapeError
            Naming the record, its neighbours and the user's line.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> fd.trace(np.sin)(np.zeros(3)).validate()
        """
        from funcdiff.core.validate import check

        check(self)

    def to_source(self, name: str | None = None, *, plain_products: bool = False) -> str:
        """Write the program as a NumPy function, which runs without funcdiff.

        Variables have the names of the user's program where one assigned them; steps that nobody names
        stand inside the expressions that read them.

        Parameters
        ----------
        name : str, optional
            Name of the function; made of the traced function's by default (``grad(f)`` gives ``grad_f``).
        plain_products : bool, default False
            Write the products of a derivative as ``g * p`` instead of ``scale(g, p)``, which keeps a zero g
            zero where p is infinite or NaN.

        Returns
        -------
        str
            Source text: imports, helper functions, constants, and the function.

        Raises
        ------
        UnsupportedError
            If a step has no source: a custom function that decides on values, or an implementation or
            container class that no module defines.

        Notes
        -----
        What Python's control flow decided when the tape was recorded is checked: the function raises
        ValueError for arguments that would have taken another path.  A recorded loop (`funcdiff.scan`,
        `funcdiff.while_loop`) is a Python loop over a function of one step.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> def f(x, y):
        ...     return 2 * np.exp(x) + 3 * y
        >>> source = fd.trace(f)(np.zeros(3), np.ones(3)).to_source()
        >>> print(source.splitlines()[-1])
            return 2 * np.exp(x) + 3 * y
        """
        return str(_above("source.writer").to_source(self, name, plain_products=plain_products))

    def to_sympy(self, *, on_path: bool = False) -> Any:
        """Write the program as SymPy expressions of symbols that are named as the inputs.

        An input array has a symbol for every element: ``x_0``, ``x_{0,1}``.

        Parameters
        ----------
        on_path : bool, default False
            Accept that Python's control flow decided on values, and give the formula of the path it took.

        Returns
        -------
        sympy.Expr or sympy.Array, or nested containers of them
            What the function returned, as formulas.

        Raises
        ------
        UnsupportedError
            If control flow decided on values, arrays are large, or a step has no symbolic form.
        MissingExtraError
            If SymPy is not installed.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> f = lambda x, y: np.exp(x) * np.sin(y) + x / 2
        >>> fd.trace(f)(1.0, 2.0).to_sympy()
        x/2 + exp(x)*sin(y)
        >>> fd.trace(fd.grad(f))(1.0, 2.0).to_sympy()
        exp(x)*sin(y) + 1/2
        """
        return _above("symbolic.convert").to_sympy(self, on_path=on_path)

    def to_latex(self, *, on_path: bool = False) -> str:
        r"""Write the program as a formula in LaTeX, by way of `to_sympy`.

        Parameters
        ----------
        on_path : bool, default False
            As in `to_sympy`.

        Returns
        -------
        str
            LaTeX for mathematics mode; of several results, one formula each, in brackets.

        Raises
        ------
        UnsupportedError, MissingExtraError
            As `to_sympy` raises them.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> fd.trace(lambda x: np.sqrt(x) / (1 + x))(1.0).to_latex()
        '\\frac{\\sqrt{x}}{x + 1}'
        """
        found = self.to_sympy(on_path=on_path)
        return str(import_module("sympy").latex(found))

    def draw(
        self,
        path: Any = None,
        *,
        at: Sequence[Any] | None = None,
        values: bool | None = None,
        derivatives: bool = False,
        steps: str | None = None,
        wrt: int | str = 0,
        output: int = 0,
        fold: bool | None = None,
        direction: str = "down",
    ) -> Any:
        """Draw the program as a graph: inputs, constants, steps and outputs, with their shapes.

        Parameters
        ----------
        path : path, optional
            Where to write the picture: a name that ends in ``.svg``, or in ``.png``, ``.pdf`` or ``.gif``,
            which matplotlib writes.
        at : tuple, optional
            Arguments to evaluate the tape at.  Then every box shows its value (unless ``values=False``).
        values : bool, optional
            Whether boxes show values; by default they do where `at` is given.
        derivatives : bool, default False
            Write local derivatives on the arrows: formulas, or numbers where `at` is given.
        steps : {"forward", "reverse"}, optional
            Show how the derivatives along the whole program accumulate, one picture for each step; needs `at`.
        wrt : int or str, default 0
            With ``steps="forward"``: the input that everything is differentiated by, by number or name.
        output : int, default 0
            With ``steps="reverse"``: the output that is differentiated.
        fold : bool, optional
            Draw the steps of a statement, a loop or a function as one block; by default from 40 records on.
        direction : {"down", "right"}
            Where arrows lead.

        Returns
        -------
        Picture or Pictures
            With ``steps``, a sequence of pictures.  They have ``svg`` and ``save(path)``, and notebooks show
            them by themselves.

        Raises
        ------
        MissingExtraError
            If grandalf, or matplotlib for other files than SVG, is not installed.
        UnsupportedError
            If a setting is not one of those above.
        TapeError
            If `at` does not fit the tape.

        Examples
        --------
        >>> import funcdiff as fd
        >>> def f(a, b):
        ...     c = a + b
        ...     d = b + 1
        ...     e = c * d
        ...     return e
        >>> tape = fd.trace(f)(2.0, 1.0)
        >>> tape.draw(at=(2.0, 1.0), derivatives=True)
        <Picture: f: 3 steps>
        >>> tape.draw(at=(2.0, 1.0), steps="reverse")
        <4 pictures: reverse accumulation: derivatives of e with respect to everything>
        """
        settings: dict[str, Any] = {"at": at, "values": values, "derivatives": derivatives, "steps": steps}
        settings |= {"wrt": wrt, "output": output, "fold": fold, "direction": direction}
        return _above("picture.draw").draw(self, path, **settings)

    def save(self, path: Any) -> None:
        """Write the tape to a file, which `funcdiff.load` reads.

        The file is a zip archive of JSON and of arrays in NumPy's format, without pickles: reading it runs
        no code.  Paths in it lose their folders.

        Parameters
        ----------
        path : path
            Name of the file; by custom it ends in ``.fdt``.

        Raises
        ------
        UnsupportedError
            If a step is a function with rules of its own (`custom_jvp`, `custom_vjp`), or the arguments or
            results are nested in other containers than tuples, lists and dicts.
        OSError
            If the file cannot be written; then an older file of that name is left as it was.

        Examples
        --------
        >>> import numpy as np, funcdiff as fd
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "sine.fdt"
        ...     fd.trace(lambda x: np.sin(x))(0.5).save(path)
        ...     print(fd.load(path))
        tape <lambda>(x: float64[]):
          x1: float64[] = sin(x)
          return x1
        """
        _above("storage.archive").save(self, path)

    def __reduce__(self) -> Any:
        """Pickle the tape by the format of its files."""
        return _unpickled, (_above("storage.archive").to_bytes(self),)

    def _repr_svg_(self) -> str | None:
        try:
            return str(self.draw().svg)
        except ImportError:  # without the extra, a notebook shows the text
            return None


def _unpickled(data: bytes) -> Tape:
    tape: Tape = _above("storage.archive").from_bytes(data)
    return tape


def _above(module: str) -> Any:
    """Load a module of a layer above: what a tape offers there costs nothing until it is asked for."""
    return import_module(f"funcdiff.{module}")


def bodies(record: Record) -> dict[str, Tape]:
    """Return the programs that a record runs: the body of a loop, the sides of a branch."""
    return {name: value for name, value in record.params.items() if isinstance(value, Tape)}


def variables(atoms: Sequence[Atom]) -> list[Variable]:
    """Return the variables among atoms."""
    return [a for a in atoms if type(a) is Variable]
