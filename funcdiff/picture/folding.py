"""Long tapes: steps of the same statement, repetition or function become one block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from funcdiff.core.tape import Literal, Record, Tape, Variable
from funcdiff.picture.labels import Labels, is_array, kind_line, shortened
from funcdiff.picture.scene import Edge, Node, Scene
from funcdiff.source.naming import function_at, statement_at, text_of, without_folders

FROM = 40  # records from which a tape is folded by itself
BLOCKS = 30  # how many boxes are wanted


@dataclass(frozen=True)
class Block:
    """Consecutive records under one name."""

    start: int
    stop: int
    title: str

    def __len__(self) -> int:
        return self.stop - self.start


def fold(tape: Tape, most: int = BLOCKS) -> list[Block]:
    """Part a tape into at most so many blocks, by what the user's program says if possible."""
    blocks = _by_statement(tape)
    if len(blocks) > most:
        blocks = _repetitions(tape, blocks)
    if len(blocks) > most:
        blocks = _by_function(tape, blocks)
        blocks = _repetitions(tape, blocks) if len(blocks) > most else blocks
    if len(blocks) > most:
        size = -(-len(tape.records) // most)
        total = len(tape.records)
        blocks = [
            Block(n, min(n + size, total), f"steps {n + 1} to {min(n + size, total)}")
            for n in range(0, total, size)
        ]
    return blocks


def _by_statement(tape: Tape) -> list[Block]:
    called_from = statement_at(tape.line)
    blocks: list[Block] = []
    start = 0
    places = [statement_at(record.line) for record in tape.records]
    for n in range(1, len(places) + 1):
        if n == len(places) or places[n] != places[start]:
            place = places[start]
            title = "derivatives" if place == called_from else text_of(place) if place else "steps"
            blocks.append(Block(start, n, title or "steps"))
            start = n
    return blocks


def _repetitions(tape: Tape, blocks: Sequence[Block]) -> list[Block]:
    """Fold blocks that repeat, as those of a loop do, into one."""
    folded: list[Block] = []
    n = 0
    while n < len(blocks):
        period, times = _repetition(tape, blocks, n)
        if times > 1:
            one = blocks[n : n + period]
            title = one[0].title if period == 1 else f"{one[0].title}; …"
            last = blocks[n + period * times - 1]
            folded.append(Block(one[0].start, last.stop, f"{times} × {title}"))
            n += period * times
        else:
            folded.append(blocks[n])
            n += 1
    return folded


def _repetition(tape: Tape, blocks: Sequence[Block], n: int) -> tuple[int, int]:
    """Return the period, in blocks, that repeats most from block n on, and how often."""
    best = (1, 1)
    for period in range(1, min(12, (len(blocks) - n) // 2) + 1):
        titles = [b.title for b in blocks[n : n + period]]
        times = 1
        while [b.title for b in blocks[n + times * period : n + (times + 1) * period]] == titles:
            times += 1
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best


def _by_function(tape: Tape, blocks: Sequence[Block]) -> list[Block]:
    """Join neighbours that the same function of the user runs."""
    joined: list[Block] = []
    names = [function_at(tape.records[b.start].line) for b in blocks]
    start = 0
    for n in range(1, len(blocks) + 1):
        if n == len(blocks) or names[n] != names[start]:
            mine = blocks[start:n]
            title = mine[0].title if len(mine) == 1 else f"{names[start]}()" if names[start] else "steps"
            joined.append(Block(mine[0].start, mine[-1].stop, title))
            start = n
    return joined


def folded_scene(tape: Tape, blocks: Sequence[Block]) -> Scene:
    """Draw blocks as boxes; blocks of one step as that step."""
    labels = Labels(tape)
    nodes: dict[str, Node] = {}
    made: dict[int, str] = {}
    for v in tape.inputs:
        node = Node(f"x{v.number}", "input", labels.name(v), kind_line(v.type))
        nodes[node.key] = node
        made[v.number] = node.key
    edges: dict[tuple[str, str], Edge] = {}
    for n, block in enumerate(blocks):
        records = tape.records[block.start : block.stop]
        node = _node(f"b{n}", block, records, labels)
        nodes[node.key] = node
        for record in records:
            for a in record.inputs:
                source = _source(a, made, nodes, labels)
                if source is not None and source != node.key:
                    edges.setdefault((source, node.key), Edge(source, node.key))
            made.update((v.number, node.key) for v in record.outputs)
    _mark_outputs(tape, nodes, edges, made)
    steps = len(tape.records)
    title = f"{tape.name.partition(chr(10))[0]}: {steps} steps in {len(blocks)} blocks"
    return Scene(title, list(nodes.values()), list(edges.values()))


def _node(key: str, block: Block, records: Sequence[Record], labels: Labels) -> Node:
    if len(records) == 1:
        (record,) = records
        lines = [line for v in record.outputs for line in kind_line(v.type)]
        return Node(key, "operation", labels.step(record), lines, tip=without_folders(record.line))
    counts: dict[str, int] = {}
    for record in records:
        counts[record.primitive.name] = counts.get(record.primitive.name, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])
    words = ", ".join(name if count == 1 else f"{count} {name}" for name, count in most)
    lines = [f"{len(records)} steps: {shortened(words, 40)}", *kind_line(records[-1].outputs[0].type)]
    return Node(key, "block", shortened(block.title, 44), lines, tip=f"{block.title}\n{words}")


def _source(
    atom: Variable | Literal, made: dict[int, str], nodes: dict[str, Node], labels: Labels
) -> str | None:
    if isinstance(atom, Variable):
        return made[atom.number]
    if not is_array(atom.value) or len(labels.of_constant) >= 8:
        return None  # a few are shown
    name = labels.constant(atom.value)
    if name not in nodes:
        nodes[name] = Node(name, "constant", name, [f"{atom.value.dtype.name}{list(atom.value.shape)}"])
    return name


def _mark_outputs(
    tape: Tape, nodes: dict[str, Node], edges: dict[tuple[str, str], Edge], made: dict[int, str]
) -> None:
    for n, atom in enumerate(tape.outputs):
        word = f"output {n}" if len(tape.outputs) > 1 else "output"
        key = f"o{n}"
        nodes[key] = Node(key, "output", word)
        if isinstance(atom, Variable):
            edges[made[atom.number], key] = Edge(made[atom.number], key)
