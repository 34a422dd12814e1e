"""Implementations of primitives as source: their one expression in place, or a helper function.

So a primitive is spelled where it is implemented, and nowhere else.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.source import constants
from funcdiff.source.expression import ATOM, COMPARE, Expression

_ALIASES = {"numpy": "np", "scipy.special": "special"}


class NoSourceError(Exception):
    """Raised where an implementation cannot be written as source; says why."""


@cache
def definition(function: Callable[..., Any]) -> ast.FunctionDef:
    """Return the syntax tree of a function, without annotations and decorators."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError) as error:
        raise NoSourceError("its source cannot be read") from error
    found = tree.body[0]
    if not isinstance(found, ast.FunctionDef):
        raise NoSourceError("it is not written as a function of its own")
    for node in ast.walk(found):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
    found.decorator_list = []
    unannotated: ast.FunctionDef = _Unannotated().visit(found)
    return unannotated


class _Unannotated(ast.NodeTransformer):
    """Turns ``x: int = 1`` into ``x = 1``."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.Pass()
        return ast.Assign([node.target], node.value, lineno=node.lineno)


class _Substitution(ast.NodeTransformer):
    """Puts expressions in the places of names; decides what is decided by constants."""

    def __init__(self, given: Mapping[str, ast.expr], rest: tuple[str, list[ast.expr]] | None) -> None:
        self.given = given
        self.rest = rest
        self.uses: dict[str, int] = {}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.given:
            return node
        self.uses[node.id] = self.uses.get(node.id, 0) + 1
        return self.given[node.id]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if self.rest is not None:
            spread: list[ast.expr] = []
            for a in node.args:
                if isinstance(a, ast.Name) and a.id == self.rest[0]:
                    spread.append(ast.List(self.rest[1], ast.Load()))
                elif isinstance(a, ast.Starred) and isinstance(a.value, ast.Name):
                    spread.extend(self.rest[1] if a.value.id == self.rest[0] else [a])
                else:
                    spread.append(a)
            node = ast.Call(node.func, spread, node.keywords)
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        new = self.generic_visit(node)
        assert isinstance(new, ast.IfExp)
        if isinstance(new.test, ast.Constant):
            return new.body if new.test.value else new.orelse
        return new


def expression(
    impl: Callable[..., Any], args: Sequence[Expression], params: Mapping[str, Any], outputs: bool
) -> Expression | None:
    """Write the only expression of an implementation, with its arguments in place; None if it has more."""
    if not isinstance(impl, FunctionType) or impl.__closure__:
        return None
    function = definition(impl)
    body = [s for s in function.body if not _is_docstring(s)]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return None
    value = body[0].value
    names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
    parameters = function.args
    positional = [a.arg for a in (*parameters.posonlyargs, *parameters.args)]
    keywords = [a.arg for a in parameters.kwonlyargs]
    variadic = parameters.vararg.arg if parameters.vararg else None
    known = {*positional, *keywords, *([variadic] if variadic else [])}
    if any(n not in known and not hasattr(builtins, n) and impl.__globals__.get(n) is not np for n in names):
        return None
    if set(params) - set(keywords) - set(positional):
        return None
    trees = [_parsed(a) for a in args]
    given = dict(zip(positional, trees, strict=False))
    given.update((k, ast.parse(constants.setting(v), mode="eval").body) for k, v in params.items())
    if not set(positional) <= set(given) or (len(trees) > len(positional) and variadic is None):
        return None
    walk = _Substitution(given, (variadic, trees[len(positional) :]) if variadic else None)
    new = walk.visit(ast.fix_missing_locations(ast.parse(ast.unparse(value), mode="eval").body))
    for name, n in walk.uses.items():
        if n > 1 and not isinstance(given[name], (ast.Name, ast.Constant)):
            return None  # it would be computed twice
    new = _bare(new, outputs)
    strength = ATOM if isinstance(new, (ast.Call, ast.Subscript, ast.Attribute, ast.Name)) else COMPARE - 1
    return Expression(ast.unparse(ast.fix_missing_locations(new)), strength)


def _parsed(value: Expression) -> ast.expr:
    try:
        return ast.parse(value.text, mode="eval").body
    except SyntaxError:  # in pictures, texts need not be Python
        return ast.Name(value.within(ATOM), ast.Load())


def _bare(node: ast.expr, outputs: bool) -> ast.expr:
    """Drop what makes 0-d arrays scalars, and tuples of tuples."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and not node.slice.elts:
        return node.value
    if outputs and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tuple":
        return node.args[0]
    return node


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


class Helpers:
    """The helper functions and imports of one source text."""

    def __init__(self, avoided: Iterable[str]) -> None:
        self.avoided = set(avoided)
        self.imports: dict[str, None] = {}
        self.definitions: dict[str, str] = {}
        self.names: dict[Any, str] = {}

    def copy(self) -> tuple[dict[Any, Any], ...]:
        """Return what there is so far."""
        return self.imports.copy(), self.definitions.copy(), self.names.copy()

    def restore(self, before: tuple[dict[Any, Any], ...]) -> None:
        """Forget what came after `copy`."""
        self.imports, self.definitions, self.names = before

    def add(self, function: Any, name: str) -> str:
        """Write a function, and what it calls, as helpers; return its name."""
        doc = ""
        primitive = getattr(function, "primitive", None)
        if primitive is not None:
            function, doc = primitive.impl, primitive.doc
        if function in self.names:
            return self.names[function]
        public = public_name(function)
        if public is not None:
            self.names[function] = self.use(public)
            return self.names[function]
        if not isinstance(function, FunctionType):
            raise NoSourceError(f"it calls {function!r}")
        if function.__closure__:
            raise NoSourceError("it closes over values")
        tree = ast.parse(ast.unparse(definition(function))).body[0]
        assert isinstance(tree, ast.FunctionDef)
        name = self.free(name)
        self.names[function] = name
        inner = {a.arg for n in ast.walk(tree) if isinstance(n, ast.arguments) for a in _all_arguments(n)}
        inner |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        renamed = {function.__name__: name}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in inner and node.id not in renamed:
                renamed[node.id] = self._global(function, node.id)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in inner:
                node.id = renamed[node.id]
        tree.name = name
        if doc and not _is_docstring(tree.body[0]):
            tree.body.insert(0, ast.Expr(ast.Constant(doc)))
        self.definitions[name] = ast.unparse(tree)
        return name

    def loaded(self, primitive: str) -> str:
        """Take the implementation of a primitive from funcdiff; return its name."""
        key = ("loaded", primitive)
        if key not in self.names:
            self.names[key] = name = self.free(primitive)
            self.imports["from funcdiff.source import implementation"] = None
            self.definitions[name] = f"{name} = implementation({primitive!r})"
        return self.names[key]

    def use(self, dotted: str) -> str:
        """Import what a dotted name starts with; return how it is written."""
        module, _, attribute = dotted.rpartition(".")
        if module == "builtins":
            return attribute
        top = module.split(".")[0]
        if top == "numpy":
            return f"np{module.removeprefix('numpy')}.{attribute}"
        if module == "scipy.special":
            self.imports["from scipy import special"] = None
            return f"special.{attribute}"
        self.imports[f"import {module}"] = None
        return dotted

    def _global(self, function: FunctionType, name: str) -> str:
        """Write what a global name of a function stands for."""
        if name not in function.__globals__:
            if hasattr(builtins, name):
                return name
            raise NoSourceError(f"its {name} is not defined")
        value = function.__globals__[name]
        if isinstance(value, ModuleType):
            alias = _ALIASES.get(value.__name__)
            if alias is None:
                self.imports[f"import {value.__name__}"] = None
                return value.__name__
            if alias == "special":
                self.imports["from scipy import special"] = None
            return alias
        if callable(value) and not isinstance(value, type):
            return self.add(value, name)  # a name that no local variable there has
        if isinstance(value, type):
            if value.__module__.startswith("funcdiff"):
                raise NoSourceError(f"it needs {value.__name__}")
            return self.use(f"{value.__module__}.{value.__qualname__}")
        try:
            text = constants.setting(value)
        except errors.UnsupportedError as error:
            raise NoSourceError(f"its {name} is a {type(value).__name__}") from error
        new = self.free(name)
        self.definitions[new] = f"{new} = {text}"
        return new

    def free(self, name: str) -> str:
        """Return a name that no helper has, nor a variable."""
        taken = self.avoided | set(self.definitions) | set(self.names.values())
        new, n = name, 2
        while new in taken:
            new, n = f"{name}_{n}", n + 1
        return new


def _all_arguments(node: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (node.vararg, node.kwarg) if a is not None]
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *extra]


def public_name(function: Any) -> str | None:
    """Return the dotted name under which NumPy or SciPy offers a function."""
    import scipy.linalg
    import scipy.special

    name = getattr(function, "__name__", "")
    for module in (np, np.linalg, np.fft, scipy.special, scipy.linalg):
        if name and getattr(module, name, None) is function:
            return f"{module.__name__}.{name}"
    if isinstance(function, np.ufunc) and callable(getattr(scipy.special, name.lstrip("_"), None)):
        return f"scipy.special.{name.lstrip('_')}"  # zeta(x, q) calls a ufunc _zeta
    return None
