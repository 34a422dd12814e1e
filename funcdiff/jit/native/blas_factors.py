"""LAPACK's LU factors for compiled code: once for all systems, inverses and determinants of a matrix.

They lie in memory as `funcdiff.jit.factors` says: packed, in Fortran's order, and after them the row swaps.
"""

from __future__ import annotations

from funcdiff.jit.native.blas import Body, operation

BLOCK = 64  # columns that LAPACK inverts at a time


def _swaps(body: Body) -> str:
    return body.after("%packed", body.let("mul i64 %n, %n"))


def _is_singular(body: Body) -> str:
    body.helpers.add("singular")
    return body.let(f"call i32 @fd.singular.{body.dtype}(ptr %packed, i64 %n, i64 %n)")


@operation("void", "ptr %packed, ptr %a, i64 %n")
def packed_lu(body: Body) -> str:
    """Write the factors of a."""
    body.helper("turn", "ptr %packed, ptr %a, i64 %n, i64 %n")
    n, row, info = body.integer("%n"), body.leading("%n"), body.variable("i32", "0")
    body.routine("getrf", n, n, "%packed", row, _swaps(body), info)
    return ""


@operation(
    "i32",
    "ptr %out, ptr %packed, ptr %b, i64 %n, i64 %columns, i1 %turned, ptr %scratch",
    lambda number, n, columns: number * n * columns,
)
def packed_lu_solve(body: Body) -> str:
    """Write the solution x of a x = b, or aᵀ x = b, for so many columns of b."""
    body.helper("turn", "ptr %scratch, ptr %b, i64 %n, i64 %columns")
    sizes = [body.integer("%n"), body.integer("%columns")]
    row, info = body.leading("%n"), body.variable("i32", "0")
    turn = body.letter(("%turned", "T", "N"))
    body.routine("getrs", turn, *sizes, "%packed", row, _swaps(body), "%scratch", row, info)
    body.helper("turn", "ptr %out, ptr %scratch, i64 %columns, i64 %n")
    return _is_singular(body)


@operation(
    "i32", "ptr %out, ptr %packed, i64 %n, ptr %scratch", lambda number, n, _: max(number * n * BLOCK, 1)
)
def packed_lu_inverse(body: Body) -> str:
    """Write the transpose of the inverse."""
    return _inverse(body)


def _inverse(body: Body) -> str:
    length = body.let(f"mul i64 {body.let('mul i64 %n, %n')}, {body.size}")
    body.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr %out, ptr %packed, i64 {length}, i1 false)")
    n, row, info = body.integer("%n"), body.leading("%n"), body.variable("i32", "0")
    work = body.integer(body.let(f"mul i64 %n, {BLOCK}"))
    body.routine("getri", n, "%out", row, _swaps(body), "%scratch", work, info)
    return body.let(f"load i32, ptr {info}")


@operation("number", "ptr %packed, i64 %n")
def packed_lu_sign(body: Body) -> str:
    """Return the sign of the determinant."""
    body.helpers.add("sign")
    return body.let(f"call {body.number} @fd.sign.{body.dtype}(ptr %packed, ptr {_swaps(body)}, i64 %n)")


@operation(
    "i32",
    "ptr %out, ptr %a, ptr %packed, ptr %det, i64 %n, number %limit, ptr %scratch",
    lambda number, n, _: max(number * n * BLOCK, 1),
)
def packed_lu_regular_inverse(body: Body) -> str:
    """Write the transpose of the inverse; fail unless the condition number is below a limit, and the determinant regular.

    Regular it is if it is finite and not zero.
    """
    _inverse(body)
    body.helpers.add("norm")

    def norm(matrix: str, down: str, along: str) -> str:
        return body.let(
            f"call {body.number} @fd.norm.{body.dtype}(ptr {matrix}, i64 %n, i64 {down}, i64 {along})"
        )

    condition = body.let(f"fmul {body.number} {norm('%a', '%n', '1')}, {norm('%out', '1', '%n')}")
    det = body.let(f"load {body.number}, ptr %det")
    nothing = body.let(f"fmul {body.number} {det}, 0.0")  # NaN unless the determinant is finite
    tests = [
        body.let(f"fcmp olt {body.number} {condition}, %limit"),
        body.let(f"fcmp one {body.number} {det}, 0.0"),
        body.let(f"fcmp ord {body.number} {nothing}, 0.0"),
    ]
    holds = body.let(f"and i1 {body.let(f'and i1 {tests[0]}, {tests[1]}')}, {tests[2]}")
    return body.let(f"select i1 {holds}, i32 0, i32 1")
