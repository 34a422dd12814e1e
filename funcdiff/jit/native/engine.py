"""LLVM as one engine per process: what the machine can do, and machine code from IR text.

llvmlite is imported when the engine is asked for first.  Whatever keeps it from working here is found
by then, and said by `Unavailable`; the caller decides whether that is an error.
"""

from __future__ import annotations

import ctypes
import re
import sys
import sysconfig
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

from funcdiff.jit.keeping import keeps
from funcdiff.jit.native.once import once

LANES = 8  # of every vector, whatever the machine's width: sums don't depend on the machine
ARENA = "arena"  # ends the name of the variable in which a kernel keeps its memory between calls
INSTALL = 'pip install "funcdiff[jit]"'

_number = count().__next__
_DECLARED = re.compile(r"^declare [^@]*@([\w.$]+)\(|^@([\w.$]+) = external", re.MULTILINE)
_DEFINED = re.compile(r"^define (?!internal)[^@]*@([\w.$]+)\(", re.MULTILINE)


class Unavailable(Exception):
    """Raised where there is no native backend; the text says why, and what to do about it."""


class Library:
    """Machine code; it is unloaded when the last reference to this object goes."""

    def __init__(self, tracker: Any, keep: Any, size: int, arenas: Sequence[int]) -> None:
        self._tracker = tracker
        self._keep = keep  # constants that the code reads
        self.size = size
        self._arenas = arenas  # where the code keeps its memory between calls
        if arenas:
            keeps(self)
        for address in arenas:
            weakref.finalize(self, _free, tracker, address).atexit = False

    def release(self) -> None:
        """Free the memory that the code keeps, unless a call has taken it."""
        from funcdiff.jit.native import stacks

        drop = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(stacks.address("fd.drop"))
        for address in self._arenas:
            drop(address)

    def address(self, name: str) -> int:
        """Return where an exported function starts."""
        return int(self._tracker[name])

    def keep(self, other: Any) -> None:
        """Let something live as long as this."""
        self._keep = (self._keep, other)


class Engine:
    """A compiler for this machine."""

    def __init__(self) -> None:
        reason = _unsupported_interpreter()
        if reason:
            raise Unavailable(reason)
        try:
            import llvmlite.binding as llvm
        except ImportError:
            raise Unavailable(f"it needs llvmlite: {INSTALL}") from None
        self.llvm = llvm
        self.lock = threading.Lock()
        self._machines: dict[int, Any] = {}
        try:
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            self.features = llvm.get_host_cpu_features()
            triple = llvm.get_process_triple()
            if not _has_vectors(triple, self.features):
                raise Unavailable("it needs a CPU with AVX2 and FMA, or NEON")
            self.triple = triple
            self._jit = llvm.create_lljit_compiler(self._machine(1))
            self.wide = bool(self.features.get("avx512f"))
            self._test()
        except (RuntimeError, OSError, KeyError) as error:
            raise Unavailable(f"LLVM does not work here: {error}") from error

    def _machine(self, level: int) -> Any:
        machine = self._machines.get(level)
        if machine is None:
            target = self.llvm.Target.from_triple(self.triple)
            # features, not the CPU's name, which is guessed wrong on virtual machines
            machine = target.create_target_machine(
                cpu="",
                features=self.features.flatten(),
                opt=level,
                reloc="pic",
                codemodel="jitdefault",
                jit=True,
            )
            self._machines[level] = machine
        return machine

    def compile(
        self,
        texts: Sequence[tuple[str, int]],
        symbols: Mapping[str, int],
        exports: Sequence[str],
        keep: Any = None,
    ) -> Library:
        """Compile modules that may call each other's functions, each at a level of optimisation.

        Every symbol they declare must be given, or be an intrinsic: linking an unknown one could end the process.
        """
        defined = {name for text, _ in texts for name in _DEFINED.findall(text)}
        missing = [
            name
            for text, _ in texts
            for pair in _DECLARED.findall(text)
            for name in pair
            if name
            and not name.startswith("llvm.")
            and not (name in symbols or name in RUNTIME or name in defined)
        ]
        if missing:
            raise KeyError(f"unknown symbols: {', '.join(missing)}")
        with self.lock:
            return self._load([self._object(*one) for one in texts], symbols, exports, keep)

    def _object(self, text: str, level: int) -> bytes:
        module = self.llvm.parse_assembly(text)
        try:
            code: bytes = self._machine(level).emit_object(module)
            return code
        finally:
            module.close()

    def _load(
        self, objects: Sequence[bytes], symbols: Mapping[str, int], exports: Sequence[str], keep: Any
    ) -> Library:
        builder = self.llvm.JITLibraryBuilder()
        for code in objects:
            builder.add_object_img(code)
        for name, address in symbols.items():
            builder.import_symbol(name, address)
        for name in RUNTIME:
            if name not in symbols and runtime(name):
                builder.import_symbol(name, runtime(name))
        for name in exports:
            builder.export_symbol(name)
        tracker = builder.link(self._jit, f"funcdiff{_number()}")
        arenas = [int(tracker[name]) for name in exports if name.endswith(ARENA)]
        return Library(tracker, keep, sum(map(len, objects)), arenas)

    def _test(self) -> None:
        """Compile and run a function, so that a system which forbids that is noticed here."""
        text = (
            "define <8 x double> @twice(<8 x double> %x) {\n  %y = fadd <8 x double> %x, %x\n"
            "  ret <8 x double> %y\n}\n"
            "define double @four(double %x) {\n  %a = insertelement <8 x double> zeroinitializer, double %x, i32 3\n"
            "  %b = call <8 x double> @twice(<8 x double> %a)\n"
            "  %c = extractelement <8 x double> %b, i32 3\n  ret double %c\n}\n"
        )
        library = self.compile([(text, 1)], {}, ["four"])
        four = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(library.address("four"))
        if four(2.0) != 4.0:
            raise Unavailable("a compiled function gave a wrong result")


def _free(tracker: Any, arena: int) -> None:
    pointer = ctypes.c_void_p.from_address(arena).value
    if pointer:
        free = ctypes.CDLL(None).free
        free.argtypes, free.restype = [ctypes.c_void_p], None
        free(pointer)
    del tracker  # the variable lies in what it keeps


# memory, and what LLVM itself calls for: large copies, and functions of its intrinsics
RUNTIME = (
    "malloc",
    "free",
    "madvise",
    "memcpy",
    "memset",
    "memmove",
    "fma",
    "fmaf",
    "rint",
    "rintf",
    "floor",
    "floorf",
    "ceil",
    "ceilf",
)


@cache
def runtime(name: str) -> int | None:
    """Return the address of a function of the C library."""
    for library in (ctypes.CDLL(None), *_math_libraries()):
        try:
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        except AttributeError:
            continue
    return None


@cache
def _math_libraries() -> tuple[Any, ...]:
    import math

    file = getattr(math, "__file__", None)  # loads the mathematical functions it is linked with
    names = [n for n in (file, "libm.so.6") if n]
    found = []
    for name in names:
        try:
            found.append(ctypes.CDLL(name))
        except OSError:
            continue
    return tuple(found)


@once
def _attempt() -> Engine | str:
    try:
        return Engine()
    except Unavailable as error:
        return str(error)


def engine() -> Engine:
    """Return the engine; raises `Unavailable`."""
    found = _attempt()
    if isinstance(found, str):
        raise Unavailable(found)
    return found


def why_not() -> str:
    """Return why there is no native backend here; an empty string if there is one."""
    from funcdiff.jit.native import layout

    try:
        engine()
        layout.symbols()
    except Unavailable as error:
        return str(error)
    return ""


def _unsupported_interpreter() -> str:
    if sys.implementation.name != "cpython":
        return "it needs CPython"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "it needs an interpreter with a global lock"
    if sys.maxsize < 2**62 or sys.byteorder != "little":
        return "it needs a 64-bit little-endian machine"
    if "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        return "it does not run with the musl C library"
    if hasattr(sys, "gettotalrefcount"):
        return "it does not run in a debug build of the interpreter"
    if sys.platform == "win32":
        return "it does not run on Windows yet"
    return ""


def _has_vectors(triple: str, features: Any) -> bool:
    if triple.startswith(("aarch64", "arm64")):
        return True
    return bool(features.get("avx2") and features.get("fma"))
