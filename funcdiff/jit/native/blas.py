"""BLAS and LAPACK for compiled code: the routines that SciPy links, called on matrices in C order.

SciPy's modules ``cython_blas`` and ``cython_lapack`` export the addresses of all routines with their C signatures;
`address` gives one after it has compared the signature, for a wrong one would end the process.

Compiled code does not call Fortran itself but functions that `definitions` writes, which take matrices in C order,
sizes as ``i64``, flags as ``i1`` and no pointers to numbers, and whose names end in ``.f64`` or ``.f32``::

    text, symbols = definitions([("matmul", "f64"), ("cholesky", "f64")])
    # call void @fd.matmul.f64(ptr %out, i64 %out_row, ptr %a, ..., i64 %m, i64 %n, i64 %k)
    # %failed = call i32 @fd.cholesky.f64(ptr %out, ptr %a, i64 %n, i1 %upper)

``symbols`` maps what the text declares to addresses. `OPERATIONS` says what each function takes and does. Where one
returns ``i32``, anything but 0 means that NumPy or SciPy raises an error (not positive definite, singular): leave the
compiled code and let them say so. `scratch_size` tells how much memory a function wants as its argument ``scratch``.
Outputs do not overlap inputs; sizes may be 0; pointers are to elements aligned as such.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

import scipy

from funcdiff.jit.native.blas_loops import HELPERS
from funcdiff.jit.native.once import once

NUMBERS = {"f64": "double", "f32": "float"}
LETTERS = {"f64": "d", "f32": "s"}
BYTES = {"f64": 8, "f32": 4}

# Of each routine the module that exports it, its result, and its arguments, which are pointers to a character (c), an
# integer (i) or a number of the routine's type (n).
SIGNATURES = {
    "dot": ("cython_blas", "n", "inini"),
    "gemv": ("cython_blas", "void", "ciinnininni"),
    "gemm": ("cython_blas", "void", "cciiinnininni"),
    "trsm": ("cython_blas", "void", "cccciinnini"),
    "potrf": ("cython_lapack", "void", "cinii"),
    "gesv": ("cython_lapack", "void", "iiniinii"),
    "getrf": ("cython_lapack", "void", "iiniii"),
    "getrs": ("cython_lapack", "void", "ciiniinii"),
    "getri": ("cython_lapack", "void", "iniinii"),
}


@cache
def address(routine: str, dtype: str) -> int:
    """Where a routine, such as ``("gemm", "f64")``, starts.

    Raises
    ------
    LookupError
        If SciPy does not export it with the signature known here.
    """
    module, result, arguments = SIGNATURES[routine]
    name = LETTERS[dtype] + routine
    capsule = _exports(module).get(name)
    if capsule is None:
        raise LookupError(f"SciPy's {module} has no {name}")
    python = ctypes.pythonapi
    get_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", python))
    get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", python)
    )
    signature = get_name(capsule)
    if _letters(signature.decode(), LETTERS[dtype]) != (result, arguments):
        raise LookupError(f"SciPy's {name} has another signature: {signature.decode()}")
    return int(get_pointer(capsule, signature))


@once
def _exports(module: str) -> Any:
    """Return what a module of SciPy exports; of the module alone: 2 ms instead of 55 for its package."""
    name = f"scipy.linalg.{module}"
    if "scipy.linalg" not in sys.modules:
        package = PathFinder.find_spec("scipy.linalg", scipy.__path__)
        places = package.submodule_search_locations if package else None
        spec = PathFinder.find_spec(name, places) if places else None
        if spec is not None and spec.loader is not None:
            found = module_from_spec(spec)
            spec.loader.exec_module(found)
            sys.modules.pop(
                name, None
            )  # where the import of the package finds it, it would not be an attribute of it
            return found.__dict__["__pyx_capi__"]
    return import_module(name).__dict__["__pyx_capi__"]


def _letters(signature: str, letter: str) -> tuple[str, str] | None:
    """Read a signature such as ``"void (char *, int *, …_d *)"`` as in `SIGNATURES`."""
    found = re.fullmatch(r"(\w+) \((.*)\)", signature)
    if found is None:
        return None
    number = rf"__pyx_t_\w+_{letter}"
    kinds = {"char *": "c", "int *": "i"}
    letters = [
        kinds.get(one, "n" if re.fullmatch(rf"{number} \*", one) else "?") for one in found[2].split(", ")
    ]
    result = "n" if re.fullmatch(number, found[1]) else found[1]
    return result, "".join(letters)


# --- IR --------------------------------------------------------------------------------------------


class Body:
    """The instructions of one function; variables that routines point to are made in its entry."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.number, self.size = dtype, NUMBERS[dtype], BYTES[dtype]
        self.entry: list[str] = ["entry:"]
        self.lines: list[str] = []
        self.routines: set[str] = set()
        self.helpers: set[str] = set()
        self._count = 0

    def let(self, instruction: str) -> str:
        """Append an instruction and return the name of its value."""
        self._count += 1
        self.lines.append(f"  %v{self._count} = {instruction}")
        return f"%v{self._count}"

    def variable(self, of: str, value: str) -> str:
        """A variable with a value."""
        self._count += 1
        self.entry.append(f"  %v{self._count} = alloca {of}")
        self.lines.append(f"  store {of} {value}, ptr %v{self._count}")
        return f"%v{self._count}"

    def letter(self, choice: str | tuple[str, str, str]) -> str:
        """A character argument, or of two one by a flag: ``(flag, if true, if false)``."""
        if isinstance(choice, str):
            return self.variable("i8", str(ord(choice)))
        flag, yes, no = choice
        return self.variable("i8", self.let(f"select i1 {flag}, i8 {ord(yes)}, i8 {ord(no)}"))

    def integer(self, value: str) -> str:
        """An integer argument of 32 bits."""
        return self.variable("i32", self.let(f"trunc i64 {value} to i32"))

    def leading(self, value: str) -> str:
        """A leading dimension, which is never 0."""
        return self.integer(self.let(f"call i64 @llvm.umax.i64(i64 {value}, i64 1)"))

    def real(self, value: float) -> str:
        """A number argument."""
        return self.variable(self.number, f"{value:.1f}")

    def routine(self, name: str, *pointers: str) -> str:
        """Call a routine of Fortran."""
        _, result, arguments = SIGNATURES[name]
        assert len(pointers) == len(arguments)
        self.routines.add(name)
        call = f"@{symbol(name, self.dtype)}({', '.join(f'ptr {p}' for p in pointers)})"
        if result == "n":
            return self.let(f"call {self.number} {call}")
        self.lines.append(f"  call void {call}")
        return ""

    def helper(self, name: str, arguments: str) -> None:
        """Call one of `HELPERS`."""
        self.helpers.add(name)
        self.lines.append(f"  call void @fd.{name}.{self.dtype}({arguments})")

    def after(self, pointer: str, count: str) -> str:
        """The address of an element."""
        return self.let(f"getelementptr {self.number}, ptr {pointer}, i64 {count}")


def symbol(routine: str, dtype: str) -> str:
    """The name by which compiled code knows a routine."""
    return f"scipy.{LETTERS[dtype]}{routine}"


@dataclass(frozen=True)
class Operation:
    """A function for compiled code: its result, its parameters, what writes its body, and how much scratch it wants."""

    result: str
    parameters: str
    write: Callable[[Body], str]  # returns what is returned
    scratch: Callable[[int, int, int], int] = lambda number, n, columns: 0


OPERATIONS: dict[str, Operation] = {}


def operation(
    result: str, parameters: str, scratch: Callable[[int, int, int], int] = lambda number, n, columns: 0
) -> Callable[[Callable[[Body], str]], Callable[[Body], str]]:
    """Enter the writer of a function under its name."""

    def enter(write: Callable[[Body], str]) -> Callable[[Body], str]:
        OPERATIONS[write.__name__] = Operation(result, parameters, write, scratch)
        return write

    return enter


def scratch_size(name: str, dtype: str, n: int, columns: int = 0) -> int:
    """Bytes of scratch that a function wants for a square matrix and so many columns of right-hand sides."""
    return OPERATIONS[name].scratch(BYTES[dtype], n, columns)


@operation("number", "i64 %n, ptr %x, i64 %x_step, ptr %y, i64 %y_step")
def dot(body: Body) -> str:
    """Return the sum of products; steps count elements and are positive."""
    sizes = [body.integer(size) for size in ("%n", "%x_step", "%y_step")]
    return body.routine("dot", sizes[0], "%x", sizes[1], "%y", sizes[2])


@operation(
    "void",
    "ptr %out, i64 %out_row, ptr %a, i64 %a_row, i1 %a_turned, ptr %b, i64 %b_row, i1 %b_turned,"
    " i64 %m, i64 %n, i64 %k, i1 %adds",
)
def matmul(body: Body) -> str:
    """Write the (m, n) product of (m, k) and (k, n), or add it to what is there.

    A turned factor lies in memory as its transpose. Rows are so many elements apart; within a row there are no gaps.
    In Fortran's order all are transposes: outᵀ = bᵀ aᵀ.
    """
    beta = body.variable(body.number, body.let(f"select i1 %adds, {body.number} 1.0, {body.number} 0.0"))
    m, n, k = (body.integer(size) for size in ("%m", "%n", "%k"))
    out_row, a_row, b_row = (body.leading(row) for row in ("%out_row", "%a_row", "%b_row"))
    turns = [body.letter((flag, "T", "N")) for flag in ("%b_turned", "%a_turned")]
    body.routine("gemm", *turns, n, m, k, body.real(1), "%b", b_row, "%a", a_row, beta, "%out", out_row)
    return ""


@operation(
    "void",
    "ptr %out, i64 %out_step, ptr %a, i64 %a_row, i1 %a_turned, ptr %x, i64 %x_step, i64 %m, i64 %k, i1 %adds",
)
def matvec(body: Body) -> str:
    """Write the m elements of the product of an (m, k) matrix and a vector, or add them to what is there; k > 0."""
    beta = body.variable(body.number, body.let(f"select i1 %adds, {body.number} 1.0, {body.number} 0.0"))
    rows = body.integer(body.let("select i1 %a_turned, i64 %m, i64 %k"))
    columns = body.integer(body.let("select i1 %a_turned, i64 %k, i64 %m"))
    row, step, out_step = body.leading("%a_row"), body.integer("%x_step"), body.integer("%out_step")
    turn = body.letter(("%a_turned", "N", "T"))
    body.routine("gemv", turn, rows, columns, body.real(1), "%a", row, "%x", step, beta, "%out", out_step)
    return ""


@operation("i32", "ptr %out, ptr %a, i64 %n, i1 %upper")
def cholesky(body: Body) -> str:
    """Write the lower factor of a, of which the lower triangle is read; or the upper ones."""
    body.helper("triangle", "ptr %out, ptr %a, i64 %n, i1 %upper")
    info = body.variable("i32", "0")
    half = body.letter(("%upper", "L", "U"))
    body.routine("potrf", half, body.integer("%n"), "%out", body.leading("%n"), info)
    return body.let(f"load i32, ptr {info}")


@operation("i32", "ptr %out, ptr %a, ptr %b, i64 %n, i64 %columns, i1 %lower, i1 %turned, i1 %unit")
def solve_triangular(body: Body) -> str:
    """Write the solution x of a x = b, or aᵀ x = b, for a triangle of a and so many columns of b.

    xᵀ aᵀ = bᵀ in Fortran's order, so the matrix is on the right. A zero on the diagonal is a failure.
    """
    size = body.let("mul i64 %n, %columns")
    length = body.let(f"mul i64 {size}, {body.size}")
    body.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr %out, ptr %b, i64 {length}, i1 false)")
    letters = [
        body.letter("R"),
        body.letter(("%lower", "U", "L")),
        body.letter(("%turned", "T", "N")),
        body.letter(("%unit", "U", "N")),
    ]
    sizes = [body.integer("%columns"), body.integer("%n")]
    rows = [body.leading("%n"), body.leading("%columns")]
    body.routine("trsm", *letters, *sizes, body.real(1), "%a", rows[0], "%out", rows[1])
    checked = body.let("select i1 %unit, i64 0, i64 %n")
    body.helpers.add("singular")
    return body.let(f"call i32 @fd.singular.{body.dtype}(ptr %a, i64 %n, i64 {checked})")


def _system(number: int, n: int, columns: int) -> int:
    return number * n * (n + columns) + 4 * n


def _factored(body: Body, a: str, n: str) -> tuple[str, str]:
    """Put a matrix into the scratch as Fortran wants it; return its address and what follows it."""
    square = body.let(f"mul i64 {n}, {n}")
    body.helper("turn", f"ptr %scratch, ptr {a}, i64 {n}, i64 {n}")
    return "%scratch", body.after("%scratch", square)


@operation("i32", "ptr %out, ptr %a, ptr %b, i64 %n, i64 %columns, ptr %scratch", _system)
def solve(body: Body) -> str:
    """Write the solution x of a x = b for so many columns of b."""
    matrix, sides = _factored(body, "%a", "%n")
    pivots = body.after(sides, body.let("mul i64 %n, %columns"))
    body.helper("turn", f"ptr {sides}, ptr %b, i64 %n, i64 %columns")
    info = body.variable("i32", "0")
    sizes = [body.integer("%n"), body.integer("%columns")]
    rows = [body.leading("%n"), body.leading("%n")]
    body.routine("gesv", *sizes, matrix, rows[0], pivots, sides, rows[1], info)
    body.helper("turn", f"ptr %out, ptr {sides}, i64 %columns, i64 %n")
    return body.let(f"load i32, ptr {info}")


@operation("i32", "ptr %out, ptr %a, i64 %n, ptr %scratch", lambda number, n, _: _system(number, n, n))
def inv(body: Body) -> str:
    """Write the inverse of a, by solving for the columns of the identity as NumPy does."""
    matrix, sides = _factored(body, "%a", "%n")
    pivots = body.after(sides, body.let("mul i64 %n, %n"))
    body.helper("identity", f"ptr {sides}, i64 %n")
    info = body.variable("i32", "0")
    size, row = body.integer("%n"), body.leading("%n")
    body.routine("gesv", size, size, matrix, row, pivots, sides, row, info)
    body.helper("turn", f"ptr %out, ptr {sides}, i64 %n, i64 %n")
    return body.let(f"load i32, ptr {info}")


def definitions(wanted: Iterable[tuple[str, str]]) -> tuple[str, dict[str, int]]:
    """Write the functions of the names and dtypes wanted.

    Returns
    -------
    text : str
        IR that defines them, ``internal``, and declares the routines they call.
    symbols : dict of str to int
        The addresses of these routines.

    Raises
    ------
    LookupError
        If SciPy does not export a routine with the signature known here.
    """
    texts: dict[str, None] = {}
    symbols: dict[str, int] = {}
    functions = []
    for name, dtype in dict.fromkeys(wanted):
        found = OPERATIONS[name]
        body = Body(dtype)
        returned = found.write(body)
        for helper in sorted(body.helpers):
            texts[HELPERS[helper].replace("DTYPE", dtype).replace("NUMBER", body.number)] = None
        for routine in sorted(body.routines):
            _, result, arguments = SIGNATURES[routine]
            called = symbol(routine, dtype)
            symbols[called] = address(routine, dtype)
            shown = body.number if result == "n" else "void"
            texts[f"declare {shown} @{called}({', '.join(['ptr'] * len(arguments))})"] = None
        of = body.number if found.result == "number" else found.result
        parameters = found.parameters.replace("number ", f"{body.number} ")
        head = f"define internal {of} @fd.{name}.{dtype}({parameters}) {{"
        functions.append("\n".join([head, *body.entry, *body.lines, f"  ret {of} {returned}".rstrip(), "}"]))
    return "\n".join([*texts, *functions]), symbols


@once
def entry(name: str, dtype: str) -> tuple[object, int]:
    """Compile a function for the process; return what holds its machine code, and where it starts."""
    from funcdiff.jit.native.engine import engine

    text, symbols = definitions([(name, dtype)])
    called = f"fd.{name}.{dtype}"
    lines = text.split("\n")
    for n, line in enumerate(lines):  # the one that is called from outside
        if line.startswith("define internal") and f"@{called}(" in line:
            lines[n] = line.replace("define internal", "define", 1)
    library = engine().compile([("\n".join(lines), 1)], symbols, [called])
    return library, library.address(called)
