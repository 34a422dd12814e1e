"""Coordinates: layers from top to bottom; labels of arrows are laid out like boxes, so nothing overlaps.

The layers, and the order within them that has few crossings, are grandalf's.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from funcdiff import errors
from funcdiff.picture.placing import Thing, place
from funcdiff.picture.scene import LINE, SMALL, Edge, Node, Point, Scene

GAP = 24.0  # between boxes of a layer
LAYER = 34.0  # between layers
MARGIN = 20.0
ROUNDS = 8  # of reordering


def lay_out(scene: Scene) -> Scene:
    """Give nodes, edges and labels their places."""
    turned = scene.sideways
    things: dict[str, Thing] = {n.key: _thing(n.width, n.height, turned) for n in scene.nodes}
    chains: list[tuple[Edge, list[Thing]]] = []
    together: dict[tuple[str, str], int] = {}
    for edge in scene.edges:
        pair = (edge.source, edge.target)
        together[pair] = together.get(pair, 0) + 1
        chain = [things[edge.source], things[edge.target]]
        if edge.label:
            chain.insert(1, _thing(edge.label_width, SMALL + 6, turned))
        elif together[pair] > 1:  # two arrows between the same boxes go different ways
            chain.insert(1, _thing(2.0, 2.0, turned))
        chains.append((edge, chain))
    if scene.nodes:
        _place_all(list(things.values()), chains, turned)
    for node in scene.nodes:
        node.x, node.y = _turn((things[node.key].x, things[node.key].y), turned)
    nodes = {node.key: node for node in scene.nodes}
    for edge, chain in chains:
        if edge.label:
            middle = next(t for t in chain[1:-1] if t.height > 2 and t.width > 2)
            edge.label_at = _turn((middle.x, middle.y), turned)
        stops = [_turn(p, turned) for t in chain[1:-1] for p in _crossing(t)]
        edge.points = _ends(nodes[edge.source], nodes[edge.target], stops, turned)
    _frame(scene)
    return scene


def _thing(width: float, height: float, turned: bool) -> Thing:
    return Thing(height, width) if turned else Thing(width, height)


def _grandalf() -> Any:
    try:
        import grandalf.graphs
        import grandalf.layouts
    except ImportError as error:
        raise errors.MissingExtraError(
            'drawing a tape needs the package grandalf: pip install "funcdiff[viz]"'
        ) from error
    return grandalf


def _place_all(boxes: list[Thing], chains: list[tuple[Edge, list[Thing]]], turned: bool) -> None:
    """Order the things in layers by grandalf and place them, the connected parts one beside the other."""
    grandalf = _grandalf()
    vertex_of: dict[int, Any] = {}
    for t in [*boxes, *(t for _, chain in chains for t in chain)]:
        if id(t) not in vertex_of:
            vertex_of[id(t)] = vertex = grandalf.graphs.Vertex(t)
            vertex.view = grandalf.layouts.VertexViewer(t.width, t.height)
    links: dict[tuple[int, int], Any] = {}
    for _, chain in chains:
        for a, b in pairwise(chain):
            links[id(a), id(b)] = grandalf.graphs.Edge(vertex_of[id(a)], vertex_of[id(b)])
    graph = grandalf.graphs.Graph(list(vertex_of.values()), list(links.values()))
    gap, between = (16.0, 46.0) if turned else (GAP, LAYER)
    left = 0.0
    crossings: dict[int, dict[int, Thing]] = {}
    for part in graph.C:
        layers = _layers(grandalf, part, crossings)
        _connect(layers, part, crossings)
        place(layers, gap, between)
        start = min(t.x - t.width / 2 for layer in layers for t in layer)
        for layer in layers:
            height = max(t.height for t in layer)
            for t in layer:
                t.x += left - start
                t.height = max(t.height, height) if t.width <= 2 else t.height
        left = max(t.x + t.width / 2 for layer in layers for t in layer) + gap
    for _, chain in chains:
        full = [chain[0]]
        for a, b in pairwise(chain):
            ctrl = crossings.get(id(links[id(a), id(b)]), {})
            full += [ctrl[rank] for rank in sorted(ctrl)] + [b]
        chain[:] = full


def _layers(grandalf: Any, part: Any, crossings: dict[int, dict[int, Thing]]) -> list[list[Thing]]:
    if len(part.sV) == 1:
        return [[v.data for v in part.sV]]
    layout = grandalf.layouts.SugiyamaLayout(part)
    layout.init_all(optimize=True)
    for _ in range(ROUNDS):
        for _ in layout.ordering_step():
            pass
    dummies = {}
    for edge, ctrl in layout.ctrls.items():
        mine = crossings[id(edge)] = {}
        for rank, vertex in ctrl.items():
            if vertex not in edge.v:
                dummies[id(vertex)] = mine[rank] = Thing(2.0, 2.0, weight=6.0)  # long arrows are straight
    things = dict(dummies)
    things.update((id(v), v.data) for v in part.sV)
    return [[things[id(v)] for v in layer] for layer in layout.layers if layer]


def _connect(layers: list[list[Thing]], part: Any, crossings: dict[int, dict[int, Thing]]) -> None:
    """Tell things their neighbours in the layers above and below."""
    for edge in part.sE:
        ctrl = crossings.get(id(edge), {})
        chain = [edge.v[0].data, *(ctrl[rank] for rank in sorted(ctrl)), edge.v[1].data]
        for a, b in pairwise(chain):
            a.below.append(b)
            b.above.append(a)


def _turn(point: Point, turned: bool) -> Point:
    return (point[1], point[0]) if turned else point


def _crossing(t: Thing) -> list[Point]:
    """Return where an arrow enters and leaves a layer that it crosses: straight, between the boxes."""
    if t.height <= 2:
        return [(t.x, t.y)]
    return [(t.x, t.y - t.height / 2), (t.x, t.y + t.height / 2)]


def _ends(source: Node, target: Node, stops: list[Point], turned: bool) -> list[Point]:
    """Start and end where an arrow leaves and meets the boxes, leaning towards where it goes."""
    stops = _straightened(stops, turned)
    first = stops[0] if stops else (target.x, target.y)
    last = stops[-1] if stops else (source.x, source.y)
    if turned:
        start = (source.x + source.width / 2, source.y + _lean(first[1] - source.y, source.height))
        end = (target.x - target.width / 2, target.y + _lean(last[1] - target.y, target.height))
    else:
        start = (source.x + _lean(first[0] - source.x, source.width), source.y + source.height / 2)
        end = (target.x + _lean(last[0] - target.x, target.width), target.y - target.height / 2)
    return [start, *stops, end]


def _straightened(stops: list[Point], turned: bool) -> list[Point]:
    """Drop detours of a few pixels."""
    straight: list[Point] = []
    for x, y in stops:
        if straight and not turned and abs(straight[-1][0] - x) < 4:
            x = straight[-1][0]
        if straight and turned and abs(straight[-1][1] - y) < 4:
            y = straight[-1][1]
        straight.append((x, y))
    return straight


def _lean(distance: float, size: float) -> float:
    most = size / 2 - 14 if size > 40 else size / 4
    if abs(distance) < min(most, 6):
        return distance
    return math.copysign(min(abs(distance) * 0.4, most), distance)


def _frame(scene: Scene) -> None:
    """Move everything so that the picture starts at the margin, and measure it."""
    corners: list[Point] = []
    for node in scene.nodes:
        more = 5 if node.kind == "block" else 0
        corners.append((node.x - node.width / 2, node.y - node.height / 2))
        corners.append((node.x + node.width / 2 + more, node.y + node.height / 2 + more))
    for edge in scene.edges:
        corners += edge.points
        if edge.label_at is not None:
            x, y = edge.label_at
            corners += [(x - edge.label_width / 2, y - 8), (x + edge.label_width / 2, y + 8)]
    left, right = min((x for x, _ in corners), default=0.0), max((x for x, _ in corners), default=0.0)
    above, below = min((y for _, y in corners), default=0.0), max((y for _, y in corners), default=0.0)
    dx, dy = MARGIN - left, MARGIN + LINE + 8 - above
    words = max(len(scene.title), len(scene.caption), scene.words) * 8.2
    scene.width = max(right + dx, words + MARGIN) + MARGIN
    scene.height = below + dy + MARGIN + (LINE + 4 if scene.caption else 0)
    dx += (scene.width - MARGIN - right - dx) / 2  # in the middle, where the title is wider
    for node in scene.nodes:
        node.x, node.y = node.x + dx, node.y + dy
    for edge in scene.edges:
        edge.points = [(x + dx, y + dy) for x, y in edge.points]
        if edge.label_at is not None:
            edge.label_at = (edge.label_at[0] + dx, edge.label_at[1] + dy)
