"""A matrix is factorized once: systems, inverses and determinants of it, or of its transpose, share the factors.

Derivatives of systems and determinants are systems of the same matrix, which is factorized anew at each of them as a
tape is recorded.  A Cholesky factor is not factorized at all: its systems are triangular, and so are products with
its inverse, which derivatives of Cholesky factors are made of.  Results differ by rounding, and a singular matrix is
one, as before, if LAPACK meets a pivot that is zero.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY, Primitive
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable, variables
from funcdiff.jit import factors
from funcdiff.jit.passes.rewriting import kind

SMALL = 16  # rows below which source on arrays calls NumPy for each of them, as cheaply
MATRICES = 64  # of a stack; beyond that, what goes through a stack itself is faster

_INVERSES = ("inv", "inv_or_nan")
_PRODUCTS = ("matmul", "matvec", "vecmat")
_DETERMINANTS = ("slogdet", "det", "det_derivative")  # in machine code by factors alone
_BY_FACTORS = frozenset(("solve", *_DETERMINANTS, *_INVERSES))
DIRECTIONS = 1  # along which machine code takes derivatives of determinants


def share_factorizations(tape: Tape, native: bool) -> Tape:
    """Return the tape with one factorization per matrix; machine code takes determinants by factors too."""
    if not any(r.primitive.name in _BY_FACTORS for r in tape.records):
        return tape
    return _Sharing(tape, native).run()


class _Sharing:
    """One walk over a tape."""

    def __init__(self, tape: Tape, native: bool) -> None:
        self.tape = tape
        self.native = native
        self.made: dict[int, Record] = {v.number: r for r in tape.records for v in r.outputs}
        self.next = 1 + max((v.number for v in (*tape.inputs, *self.outputs())), default=-1)
        self.packed: dict[
            int, tuple[Variable, bool, Atom]
        ] = {}  # of a matrix the factors, if of its transpose, of what
        self.records: list[Record] = []
        uses = Counter(m[0].number for r in tape.records if (m := self.factorized(r)) is not None)
        self.shared = {
            m[0].number
            for r in tape.records
            if (m := self.factorized(r)) is not None
            and (uses[m[0].number] > 1 or (native and r.primitive.name in _DETERMINANTS))
        }
        self.inverses = self._triangular_inverses()

    def outputs(self) -> list[Variable]:
        """Everything that the tape's records make."""
        return [v for r in self.tape.records for v in r.outputs]

    def run(self) -> Tape:
        """Rewrite all records; guards keep their places among them."""
        moved: list[int] = []
        for record in self.tape.records:
            moved.append(len(self.records))
            self.rewrite(record)
        moved.append(len(self.records))
        guards = tuple(replace(g, position=moved[g.position]) for g in self.tape.guards)
        return replace(self.tape, records=tuple(self.records), guards=guards)

    # --- what stands there -----------------------------------------------------------------------

    def untransposed(self, atom: Atom) -> tuple[Atom, bool]:
        """Return the matrix of which an atom is the transpose, and if it is."""
        turned = False
        while isinstance(atom, Variable):
            record = self.made.get(atom.number)
            if record is None or record.primitive is not REGISTRY["transpose"]:
                break
            n = len(atom.type.shape)
            if tuple(record.params["axes"]) != (*range(n - 2), n - 1, n - 2):
                break
            atom, turned = record.inputs[0], not turned
        return atom, turned

    def factorized(self, record: Record) -> tuple[Variable, bool] | None:
        """Return the matrix that a record factorizes, or the one whose transpose it does."""
        if not _is(record, *_BY_FACTORS):
            return None
        if _is(record, "det", "det_derivative") and not (
            self.native and len(record.inputs) <= 1 + DIRECTIONS
        ):
            return None
        atom, turned = self.untransposed(record.inputs[0])
        if not isinstance(atom, Variable) or self.triangle(atom) is not None:
            return None
        shape = atom.type.shape
        if 0 in shape or not _is_real(atom, *record.inputs[1:], *record.outputs):
            return None
        stack = max(math.prod(v.type.shape[:-2]) for v in (atom, record.outputs[0]))
        fits = stack <= MATRICES if self.native else len(shape) == 2 and shape[-1] >= SMALL
        return (atom, turned) if fits else None

    def triangle(self, atom: Atom) -> Record | None:
        """Return the record that made an atom if that is a Cholesky factor."""
        record = self.made.get(atom.number) if isinstance(atom, Variable) else None
        return record if record is not None and _is(record, "cholesky") else None

    def _triangular_inverses(self) -> dict[int, Record]:
        """Return the inverses of Cholesky factors, by their numbers, which only products read."""
        found = {
            r.outputs[0].number: r
            for r in self.tape.records
            if _is(r, *_INVERSES) and self.triangular(r.inputs[0], r.outputs) is not None
        }
        if not found:
            return found
        read = set(variables(self.tape.outputs)) | {g.variable for g in self.tape.guards}
        for record in self.tape.records:
            if record.primitive is REGISTRY["transpose"] and self.untransposed(record.outputs[0])[1]:
                continue  # who reads the transpose decides
            if _is_product(record) and any(self._inverse(a, found) for a in record.inputs):
                first = self._inverse(record.inputs[0], found) is not None
                read.update(variables(record.inputs[first : 1 + first]))
            else:
                read.update(variables(record.inputs))
        for variable in read:
            number = getattr(self.untransposed(variable)[0], "number", None)
            found.pop(number, None)  # type: ignore[arg-type]
        return found

    def _inverse(self, atom: Atom, among: dict[int, Record]) -> tuple[Record, bool] | None:
        base, turned = self.untransposed(atom)
        record = among.get(base.number) if isinstance(base, Variable) else None
        return None if record is None else (record, turned)

    def triangular(self, matrix: Atom, results: Sequence[Atom]) -> tuple[Atom, dict[str, Any]] | None:
        """Return a triangular factor, and how a system of it or of its transpose is solved."""
        atom, turned = self.untransposed(matrix)
        factor = self.triangle(atom)
        shape = kind(atom).shape
        if factor is None or not _is_real(atom, *results) or 0 in shape or len(shape) != 2:
            return None
        if not self.native and shape[-1] < SMALL:
            return None
        params = {"lower": not factor.params["upper"], "transposed": turned, "unit_diagonal": False}
        return atom, params

    # --- what is written -------------------------------------------------------------------------

    def rewrite(self, record: Record) -> None:
        """Write a record, or what stands for it."""
        name = record.primitive.name
        if _is(record, *_INVERSES) and record.outputs[0].number in self.inverses:
            return
        if _is_product(record) and self._product_with_inverse(record):
            return
        if _is(record, "solve", *_INVERSES):
            system = self.triangular(record.inputs[0], [*record.inputs[1:], *record.outputs])
            if system is not None:
                factor, params = system
                side = record.inputs[1] if name == "solve" else _identity(kind(factor))
                self.write(_solve_triangular(), (factor, side), params, record)
                return
        found = self.factorized(record)
        if found is None or found[0].number not in self.shared:
            self.records.append(record)
            return
        packed, is_transpose, factored = self._factors(record, *found)
        if name == "solve":
            transposed = found[1] != is_transpose
            self.write(_of(factors.solve), (packed, record.inputs[1]), {"transposed": transposed}, record)
        elif name == "slogdet":
            self._logarithm(packed, record)
        elif name == "det":
            self._determinant(packed, record)
        elif name == "det_derivative":
            self._det_derivative(record, packed, factored, found[1] != is_transpose)
        else:
            params = {"or_nan": name == "inv_or_nan"}
            if found[1] == is_transpose:
                self.write(_of(factors.inverse), (packed,), params, record)
            else:
                inverse = self.new(_of(factors.inverse), (packed,), params, record.outputs[0].type)
                self.write(REGISTRY["transpose"], (inverse,), _swap_last(inverse.type), record)

    def write(self, primitive: Primitive, inputs: tuple[Atom, ...], params: Any, like: Record) -> None:
        """Append a record with the outputs of another."""
        self.records.append(Record(primitive, inputs, params, like.outputs, like.line))

    def new(self, primitive: Primitive, inputs: tuple[Atom, ...], params: Any, type_: ArrayType) -> Variable:
        """Append a record with an output of its own."""
        out = self._variable(type_)
        self.records.append(Record(primitive, inputs, params, (out,)))
        return out

    def _variable(self, type_: ArrayType) -> Variable:
        self.next += 1
        return Variable(self.next - 1, type_)

    def _factors(self, record: Record, matrix: Variable, turned: bool) -> tuple[Variable, bool, Atom]:
        """Return the factors of a matrix; they are those of its transpose if it is met as that first."""
        found = self.packed.get(matrix.number)
        if found is None:
            *lead, n, _ = matrix.type.shape
            type_ = ArrayType((*lead, n + 1, n), matrix.type.dtype)
            made = self.new(_of(factors.factorize), record.inputs[:1], {}, type_)
            found = self.packed[matrix.number] = made, turned, record.inputs[0]
        return found

    def _logarithm(self, packed: Variable, record: Record | None = None) -> tuple[Variable, Variable]:
        """Write sign and logarithm of a determinant, of the factors' diagonal, perhaps as the outputs of a record."""
        *lead, _, n = packed.type.shape
        shape, dtype = tuple(lead), packed.type.dtype
        number = ArrayType(shape, dtype)
        if record is None:
            sign = self.new(_of(factors.sign), (packed,), {}, number)
            logarithm = self._variable(number)
        else:
            sign, logarithm = record.outputs
            self.records.append(Record(_of(factors.sign), (packed,), {}, (sign,), record.line))
        flat = ArrayType((*shape, (n + 1) * n), dtype)
        along = ArrayType((*shape, n), dtype)
        x = self.new(REGISTRY["reshape"], (packed,), {"shape": flat.shape}, flat)
        index = slice(0, n * n, n + 1) if not shape else (Ellipsis, slice(0, n * n, n + 1))
        x = self.new(REGISTRY["getitem"], (x,), {"index": index}, along)
        x = self.new(REGISTRY["absolute"], (x,), {}, along)
        x = self.new(REGISTRY["log"], (x,), {}, along)
        total = self.new(REGISTRY["sum"], (x,), {"axis": (len(shape),), "keepdims": False}, number)
        zero = Literal(np.zeros((), dtype)[()])
        singular = self.new(REGISTRY["equal"], (sign, zero), {}, ArrayType(shape, np.dtype(bool)))
        least = Literal(np.full((), -np.inf, dtype)[()])
        choices = (singular, least, total)
        self.records.append(
            Record(REGISTRY["where"], choices, {}, (logarithm,), "" if record is None else record.line)
        )
        return sign, logarithm

    def _determinant(self, packed: Variable, record: Record | None = None) -> Variable:
        """Write a determinant as NumPy does, which by its logarithm neither overflows nor vanishes on the way."""
        sign, logarithm = self._logarithm(packed)
        size = self.new(REGISTRY["exp"], (logarithm,), {}, logarithm.type)
        if record is None:
            return self.new(REGISTRY["multiply"], (sign, size), {}, sign.type)
        self.write(REGISTRY["multiply"], (sign, size), {}, record)
        return record.outputs[0]

    def _det_derivative(self, record: Record, packed: Variable, factored: Atom, turned: bool) -> None:
        """Write a derivative of a determinant; that of the transpose is the transpose, of directions too."""
        det = self._determinant(packed)
        directions = record.inputs[1:]
        if not turned:
            self.write(_of(factors.det_derivative), (factored, packed, det, *directions), {}, record)
            return
        directions = tuple(self._transposed(t) for t in directions)
        out = record.outputs[0].type
        found = self.new(_of(factors.det_derivative), (factored, packed, det, *directions), {}, out)
        self.write(REGISTRY["transpose"], (found,), _swap_last(out), record)

    def _transposed(self, atom: Atom) -> Variable:
        return self.new(REGISTRY["transpose"], (atom,), _swap_last(kind(atom)), kind(atom))

    def _product_with_inverse(self, record: Record) -> bool:
        """Write a product with the inverse of a triangular factor as the solution of a system."""
        left, right = (self._inverse(a, self.inverses) for a in record.inputs)
        if left is None and right is None:
            return False
        if left is not None:
            inverse, turned = left
            factor, params = self._system(inverse, turned)
            self.write(_solve_triangular(), (factor, record.inputs[1]), params, record)
            return True
        assert right is not None
        inverse, turned = right  # x a⁻¹ = (a⁻ᵀ xᵀ)ᵀ
        factor, params = self._system(inverse, not turned)
        x = record.inputs[0]
        if len(kind(x).shape) == 1:
            self.write(_solve_triangular(), (factor, x), params, record)
            return True
        turn = {"axes": (*range(len(kind(x).shape) - 2), len(kind(x).shape) - 1, len(kind(x).shape) - 2)}
        type_ = kind(x)
        swapped = ArrayType((*type_.shape[:-2], type_.shape[-1], type_.shape[-2]), type_.dtype)
        side = self.new(REGISTRY["transpose"], (x,), turn, swapped)
        solved = self.new(_solve_triangular(), (factor, side), params, swapped)
        self.write(REGISTRY["transpose"], (solved,), turn, record)
        return True

    def _system(self, inverse: Record, turned: bool) -> tuple[Atom, dict[str, Any]]:
        found = self.triangular(inverse.inputs[0], ())
        assert found is not None
        factor, params = found
        return factor, {**params, "transposed": params["transposed"] != turned}


def _is(record: Record, *names: str) -> bool:
    return any(record.primitive is REGISTRY[name] for name in names)


def _is_product(record: Record) -> bool:
    """Tell whether a record is a product of matrices, or of one and a vector, of one dtype."""
    if not _is(record, *_PRODUCTS) or not _is_real(*record.inputs, *record.outputs):
        return False
    return _is(record, "matmul") or min(len(kind(a).shape) for a in record.inputs) == 1


def _swap_last(type_: ArrayType) -> dict[str, Any]:
    n = len(type_.shape)
    return {"axes": (*range(n - 2), n - 1, n - 2)}


def _of(function: Any) -> Primitive:
    primitive: Primitive = function.primitive
    return primitive


def _solve_triangular() -> Primitive:
    from funcdiff.primitives.linalg.systems import solve_triangular  # loads SciPy's linear algebra

    return _of(solve_triangular)


def _is_real(*atoms: Atom) -> bool:
    """Tell whether atoms are of one real dtype that LAPACK has."""
    kinds = {kind(a).dtype for a in atoms}
    return len(kinds) == 1 and kinds <= {np.dtype(np.float64), np.dtype(np.float32)}


def _identity(type_: ArrayType) -> Literal:
    return Literal(np.eye(type_.shape[-1], dtype=type_.dtype))
