"""Scalar functions, written in IR, that a formula calls where a lane is out of the ordinary."""

from __future__ import annotations

from dataclasses import dataclass

from funcdiff.jit.native.vector_math.builder import SCALAR_TYPES, Builder, Value


@dataclass(frozen=True)
class Helper:
    """A scalar function: its name, the IR that defines it, the kinds of its arguments and of its structure of results."""

    name: str
    text: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    def __call__(self, b: Builder, *arguments: Value) -> list[Value]:
        """Call it for every lane."""
        b.requirements.append((self, b.lanes))
        operands = ", ".join(f"{b.type(x.kind)} {x.text}" for x in arguments)
        of = "{ " + ", ".join(b.type(kind) for kind in self.results) + " }"
        answer = b.line(f"call {of} @{self.name}{'' if b.lanes == 1 else f'.v{b.lanes}'}({operands})")
        return [
            Value(b, kind, b.line(f"extractvalue {of} {answer}, {k}")) for k, kind in enumerate(self.results)
        ]

    def definition(self, lanes: int) -> str:
        """IR of the function for vectors: a loop over the lanes, in memory."""
        name, inputs, outputs = self.name, self.arguments, self.results
        vectors = {kind: f"<{lanes} x {SCALAR_TYPES[kind]}>" for kind in inputs + outputs}
        packed = "{ " + ", ".join(vectors[kind] for kind in outputs) + " }"
        element = "{ " + ", ".join(SCALAR_TYPES[kind] for kind in outputs) + " }"
        parameters = ", ".join(f"{vectors[kind]} %x{k}" for k, kind in enumerate(inputs))
        lines = [f"define internal {packed} @{name}.v{lanes}({parameters}) noinline optnone {{", "entry:"]
        lines += [f"  %a{k} = alloca {vectors[kind]}" for k, kind in enumerate(inputs)]
        lines += [f"  %b{k} = alloca {vectors[kind]}" for k, kind in enumerate(outputs)]
        lines += [f"  store {vectors[kind]} %x{k}, ptr %a{k}" for k, kind in enumerate(inputs)]
        lines += ["  br label %loop", "loop:", "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]"]
        for k, kind in enumerate(inputs):
            lines.append(f"  %p{k} = getelementptr {SCALAR_TYPES[kind]}, ptr %a{k}, i64 %i")
            lines.append(f"  %e{k} = load {SCALAR_TYPES[kind]}, ptr %p{k}")
        operands = ", ".join(f"{SCALAR_TYPES[kind]} %e{k}" for k, kind in enumerate(inputs))
        lines.append(f"  %y = call {element} @{name}({operands})")
        for k, kind in enumerate(outputs):
            lines.append(f"  %q{k} = getelementptr {SCALAR_TYPES[kind]}, ptr %b{k}, i64 %i")
            lines.append(f"  %f{k} = extractvalue {element} %y, {k}")
            lines.append(f"  store {SCALAR_TYPES[kind]} %f{k}, ptr %q{k}")
        lines += ["  %next = add i64 %i, 1", f"  %more = icmp ult i64 %next, {lanes}"]
        lines += ["  br i1 %more, label %loop, label %done", "done:"]
        result = "poison"
        for k, kind in enumerate(outputs):
            lines.append(f"  %v{k} = load {vectors[kind]}, ptr %b{k}")
            lines.append(f"  %r{k} = insertvalue {packed} {result}, {vectors[kind]} %v{k}, {k}")
            result = f"%r{k}"
        return "\n".join([*lines, f"  ret {packed} {result}", "}"])
