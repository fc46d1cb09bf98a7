"""D8: the layered layout of the pictures: nothing covers anything, edges lead onward, bounds hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.graph.layout import Drawing, Wire, crossings, draw, draw_at, drawing, layers
from tests.graph.drawn import any_graphs, dags

SIZES = st.tuples(st.integers(20, 200), st.integers(20, 60))


def wires_of(workflow: object, label: tuple[float, float] | None = None) -> list[Wire]:
    number = {node.id: at for at, node in enumerate(workflow.nodes)}  # type: ignore[attr-defined]
    pairs = dict.fromkeys((number[c.source], number[c.target]) for c in workflow.connections)  # type: ignore[attr-defined]
    return [Wire(a, b, label) for a, b in pairs]


def overlapping(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    return (
        first[0] < second[2] - 0.01 and second[0] < first[2] - 0.01
        and first[1] < second[3] - 0.01 and second[1] < first[3] - 0.01
    )  # fmt: skip


def rectangles(drawn: Drawing, sizes: list[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    return [(x, y, x + w, y + h) for (x, y), (w, h) in zip(drawn.boxes, sizes, strict=True)]


@pytest.mark.apart
@settings(max_examples=200)
@given(any_graphs(9), st.lists(SIZES, min_size=9, max_size=9), st.sampled_from(["right", "down"]), st.booleans())
def test_nothing_covers_anything(workflow, given_, direction, labelled) -> None:  # type: ignore[no-untyped-def]
    sizes = [(float(w), float(h)) for w, h in given_[: len(workflow.nodes)]]
    wires = wires_of(workflow, (50.0, 20.0) if labelled else None)
    drawn = draw(sizes, wires, direction)
    taken = rectangles(drawn, sizes)
    for wire, route in zip(wires, drawn.routes, strict=True):
        if wire.label is not None and wire.source != wire.target:
            assert route.label is not None
            x, y = route.label
            taken.append((x - 25, y - 10, x + 25, y + 10))
    for at, one in enumerate(taken):
        assert one[0] >= -0.01 and one[1] >= -0.01
        assert one[2] <= drawn.width + 0.01 and one[3] <= drawn.height + 0.01
        assert not any(overlapping(one, other) for other in taken[:at])


@given(any_graphs(9), st.sampled_from(["right", "down"]))
def test_routes_lead_from_source_to_target(workflow, direction) -> None:  # type: ignore[no-untyped-def]
    sizes = [(100.0, 40.0)] * len(workflow.nodes)
    wires = wires_of(workflow)
    drawn = draw(sizes, wires, direction)
    boxes = rectangles(drawn, sizes)
    axis = 0 if direction == "right" else 1
    for wire, route in zip(wires, drawn.routes, strict=True):
        if wire.source == wire.target:
            continue
        begin, end = (wire.target, wire.source) if route.backward else (wire.source, wire.target)
        assert route.points[0][axis] == pytest.approx(boxes[begin][axis + 2])
        assert route.points[-1][axis] == pytest.approx(boxes[end][axis])
        along = [point[axis] for point in route.points]
        assert along == sorted(along)


@given(dags())
def test_an_acyclic_graph_has_no_backward_route(workflow) -> None:  # type: ignore[no-untyped-def]
    drawn = draw([(100.0, 40.0)] * len(workflow.nodes), wires_of(workflow))
    assert not any(route.backward for route in drawn.routes)
    assert drawn.notes == ()


def test_a_cycle_has_one_backward_route() -> None:
    drawn = draw([(100.0, 40.0)] * 3, [Wire(0, 1), Wire(1, 2), Wire(2, 0)])
    assert [route.backward for route in drawn.routes] == [False, False, True]


def test_a_chain_is_a_straight_line() -> None:
    drawn = draw([(100.0, 40.0)] * 5, [Wire(at, at + 1) for at in range(4)])
    assert {y for _, y in drawn.boxes} == {0.0}


def test_a_fan_is_symmetric() -> None:
    drawn = draw([(100.0, 40.0)] * 5, [Wire(0, 1), Wire(0, 2), Wire(0, 3), Wire(1, 4), Wire(2, 4), Wire(3, 4)])
    top, middle, bottom = (drawn.boxes[at][1] for at in (1, 2, 3))
    assert drawn.boxes[0][1] == pytest.approx(middle) == pytest.approx(drawn.boxes[4][1])
    assert middle - top == pytest.approx(bottom - middle)


def test_crossings_that_need_not_be_are_not() -> None:
    """Two ladders written in an order that would tangle them."""
    wires = [Wire(0, 3), Wire(1, 2), Wire(2, 5), Wire(3, 4), Wire(0, 4), Wire(1, 5)]
    graph = layers.layered([(100.0, 40.0)] * 6, wires, set())
    assert crossings._crossings(crossings.ordered(graph), graph.down) == 0


@settings(max_examples=100)
@given(dags())
def test_crossings_are_counted_as_by_hand(workflow) -> None:  # type: ignore[no-untyped-def]
    graph = layers.layered([(100.0, 40.0)] * len(workflow.nodes), wires_of(workflow), set())
    drawn = crossings.ordered(graph)
    by_hand = 0
    for layer in drawn:
        place = {vertex: at for at, vertex in enumerate(layer)}
        for a in layer:
            for b in layer:
                if place[a] < place[b]:
                    lower = {v: at for level in drawn for at, v in enumerate(level)}
                    by_hand += sum(lower[x] > lower[y] for x in graph.down[a] for y in graph.down[b])
    assert crossings._crossings(drawn, graph.down) == by_hand
    assert sorted(vertex for layer in drawn for vertex in layer) == list(range(len(graph.vertices)))


def test_edges_too_long_for_the_bound_go_straight_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "bends_max", 3)
    monkeypatch.setattr(drawing, "bends_max", 3)
    wires = [Wire(at, at + 1) for at in range(9)] + [Wire(0, 3), Wire(0, 9)]
    drawn = draw([(100.0, 40.0)] * 10, wires)
    assert len(drawn.routes[-1].points) == 2 and len(drawn.routes[-2].points) > 2
    assert "1 of the longest connections" in drawn.notes[0] and "bends_max" in drawn.notes[0]


@pytest.mark.timed
def test_a_large_graph_does_not_blow_up() -> None:
    """D8: bounds on bend points and sweeps. 20,000 nodes with edges of any length (100,000: benchmarks)."""
    size = 20_000
    wires = [Wire(at, at + step) for at in range(size) for step in (1, 7, 5_000) if at + step < size]
    began = time.process_time()
    drawn = draw([(100.0, 40.0)] * size, wires)
    assert time.process_time() - began < 10
    assert drawn.notes and len(drawn.boxes) == size


def test_nothing_to_draw() -> None:
    assert draw([], []) == Drawing([], [], 0.0, 0.0)


def test_given_places_are_kept() -> None:
    """D8: where an editor drew the nodes. Routes leave by the side that faces the target."""
    places = [(100.0, 50.0), (400.0, 50.0), (400.0, 200.0), (0.0, -20.0)]
    wires = [Wire(0, 1, (30.0, 20.0)), Wire(1, 2), Wire(2, 0), Wire(2, 1), Wire(3, 3)]
    drawn = draw_at(places, [(100.0, 40.0)] * 4, wires)
    assert drawn.boxes == [(100.0, 70.0), (400.0, 70.0), (400.0, 220.0), (0.0, 0.0)]
    assert drawn.routes[0].points == [(200.0, 90.0), (400.0, 90.0)] and drawn.routes[0].label == (300.0, 90.0)
    assert drawn.routes[1].points == [(450.0, 110.0), (450.0, 220.0)]
    assert drawn.routes[2].points == [(400.0, 240.0), (200.0, 90.0)]
    assert drawn.routes[3].points == [(450.0, 220.0), (450.0, 110.0)]
    assert [route.direction for route in drawn.routes[:4]] == ["right", "down", "right", "down"]
    assert (drawn.width, drawn.height) == (500.0, 260.0)
