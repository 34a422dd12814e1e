"""`jit`: record a function's program once, and replay it compiled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any

from funcdiff import errors
from funcdiff.transforms.arguments import check_callable
from funcdiff.transforms.gradient import transform_again, wrap

if TYPE_CHECKING:
    from funcdiff.jit.compiled import Compiled

CHAIN = 4  # builtins that a call is handed through


def jit(
    f: Callable[..., Any],
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    backend: str = "auto",
    free_loops: bool = False,
) -> Callable[..., Any]:
    """Make the function that runs `f` compiled.

    At the first call with arguments of some structure, shapes and dtypes, the program that `f` runs is
    recorded, optimised and compiled; later calls replay it.  Python code in `f`, side effects included,
    runs only while it is recorded.  Where Python's control flow asks for values, each path is recorded
    when it is first met, and a call takes the path that is right for its arguments.

    Parameters
    ----------
    f : callable
        A pure function of arrays, or nested containers of them; also the result of any transform, as
        in ``jit(value_and_grad(loss))``.
    static_argnums, static_argnames : int or str, or sequences of them, optional
        Arguments that are constants of the program, by position or name. They must be hashable; each
        new value is recorded anew. Leaves that are no numbers, such as strings, are static by themselves.
    backend : {"auto", "numpy", "native"}, default "auto"
        "native" compiles to machine code, with llvmlite (``pip install "funcdiff[jit]"``); "numpy" generates NumPy
        source; "auto" stands for the first of them that works here.
    free_loops : bool, default False
        Say that the number of steps of every Python ``while`` that asks for values depends on traced values alone. One that
        shows no sign of the contrary while it is recorded is then one program for any number of steps, as
        `fd.while_loop` is, instead of one for each number.

    Returns
    -------
    callable
        Takes what `f` takes, and nests in other transforms as `f` does.  Its ``lower(*args)`` shows the
        tape as recorded and optimised, the generated source or IR, the compile time and the cost.

    Raises
    ------
    UnsupportedError
        If the backend is "native" and cannot be used here; the message says why.
    StructureError
        When called, if a static argument is not hashable.

    Warns
    -----
    PerformanceWarning
        When called, if the paths of Python's control flow go on multiplying, or if with `free_loops` a loop is seen
        to depend on something else than traced values; it is recorded as without.

    Notes
    -----
    Results equal those of `f`; floating-point warnings are not given.  Arrays that `f` reads from its closure,
    its module or its defaults, and from attributes and containers found there, are constants of the program. Each
    call compares them with what they held, and the program is recorded anew if one has been written to, or
    another one stands in its place: what is large, or changes often, is better passed as an argument.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> step = fd.jit(fd.value_and_grad(lambda x: np.sum(x**3)))
    >>> value, gradient = step(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (9.0, array([ 3., 12.]))
    """
    check_callable("jit", f)
    if backend not in ("auto", "numpy", "native"):
        raise errors.UnsupportedError(
            errors.at_user_line(f'backend of jit must be "auto", "numpy" or "native", not {backend!r}')
        )
    # only now: a quarter of the time that importing funcdiff would take
    from funcdiff.jit.compiled import Compiled
    from funcdiff.jit.signature import Statics

    settings = {
        "f": f,
        "static_argnums": static_argnums,
        "static_argnames": static_argnames,
        "backend": backend,
        "free_loops": free_loops,
    }
    statics = Statics(f, static_argnums, static_argnames)
    compiled = Compiled(f, statics, _chosen(backend), free_loops)
    return Jitted(f, compiled, settings)


def _chosen(backend: str) -> str:
    """Return the backend to use: the native one wherever it works, unless the other is asked for."""
    if backend == "numpy":
        return backend
    from funcdiff.jit.native.engine import why_not  # only now, as it looks at what the machine can do

    reason = why_not()
    if reason and backend == "native":
        raise errors.UnsupportedError(
            errors.at_user_line(
                f'backend="native" of jit cannot be used here: {reason}. Or use backend="auto"'
            )
        )
    return "numpy" if reason else "native"


class Jitted:
    """The function that `jit` returns.

    A call goes to a builtin function of the signature compiled last, where there is one: it is the `__call__`
    of a class made for this one object, which costs less than a Python function would. What that builtin does not
    take, it hands on to the builtin before it, and the first of them to `run`.
    """

    def __init__(self, f: Callable[..., Any], compiled: Compiled, settings: dict[str, Any]) -> None:
        self.compiled = compiled
        self._settings = settings
        compiled.install = self._install
        self._base: type = type(self)
        self._builtins = 0
        self._installing = threading.Lock()
        self.lower = compiled.lower
        wrap(f, "jit")(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function, compiled."""
        return self.compiled.run(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, as functions do."""
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{self.__name__} of funcdiff>"  # type: ignore[attr-defined]

    def __reduce__(self) -> Any:
        """Be pickled and copied as `jit` of the function, which is compiled anew."""
        return transform_again, ("jit", self._settings)

    def _install(self, native: Any, captured: Any) -> None:
        """Let calls go to a builtin first; None takes back all of them."""
        with self._installing:
            if native is None:
                self._builtins = 0
                self.__class__ = self._base
                return
            chained = 0 < self._builtins < CHAIN
            following = type(self).__call__ if chained else self._run
            self._builtins = self._builtins + 1 if chained else 1
            called = native.within(following, captured)
            self.__class__ = type(self._base.__name__, (self._base,), {"__call__": called})

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        return self.compiled.run(args, kwargs)
