"""D8: what WorkflowGraph says about a graph is what networkx says about it."""

from __future__ import annotations

import math

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mainspring as ms
from mainspring.definition import canonical
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.graph.analysis import ProcessedWorkflow, UnknownNode, WorkflowGraph, paths
from mainspring.graph.plan import Plan
from tests.graph.drawn import any_graphs, dags, networkx_of, workflow_of

SMALL = WorkflowGraph(workflow_of(6, [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5)]))


def ladder(steps: int) -> Workflow:
    """`steps` times a choice between two nodes: 2**steps paths."""
    edges = []
    for step in range(steps):
        top = 3 * step
        edges += [(top, top + 1), (top, top + 2), (top + 1, top + 3), (top + 2, top + 3)]
    return workflow_of(3 * steps + 1, edges)


def test_a_small_graph_by_hand() -> None:
    """D8."""
    graph = SMALL
    assert graph.roots == ("n0",)
    assert graph.leaves == ("n4", "n5")
    assert graph.levels == (("n0",), ("n1", "n2"), ("n3",), ("n4", "n5"))
    assert graph.branch_points == ("n0", "n3")
    assert graph.convergence_points == ("n3",)
    assert graph.bottlenecks == ("n0", "n3")
    assert graph.critical_path() == (("n0", "n1", "n3", "n4"), 4)
    assert graph.critical_path({"n2": 5, "n5": 2}) == (("n0", "n2", "n3", "n5"), 9)
    assert list(graph.paths()) == [
        ("n0", "n1", "n3", "n4"),
        ("n0", "n1", "n3", "n5"),
        ("n0", "n2", "n3", "n4"),
        ("n0", "n2", "n3", "n5"),
    ]
    assert list(graph.paths("n1", "n3")) == [("n1", "n3")]
    assert list(graph.paths("n4", "n5")) == []
    assert graph.count_paths("n0", "n3") == 2
    assert (graph.cycle, graph.blocked, graph.off_graph) == ((), (), ())
    assert len(graph) == 6 and "n5" in graph and "n6" not in graph


@pytest.mark.apart
@given(dags())
def test_an_acyclic_graph_is_as_networkx_sees_it(workflow: Workflow) -> None:
    graph, oracle = WorkflowGraph(workflow), networkx_of(workflow)
    assert set(graph.roots) == {node for node, degree in oracle.in_degree() if degree == 0}
    assert set(graph.leaves) == {node for node, degree in oracle.out_degree() if degree == 0}
    assert {node: set(after) for node, after in graph.adjacency().items()} == {n: set(oracle[n]) for n in oracle}
    assert all(set(graph.predecessors(node)) == set(oracle.predecessors(node)) for node in oracle)
    assert set(graph.branch_points) == {node for node, degree in oracle.out_degree() if degree > 1}
    assert set(graph.convergence_points) == {node for node, degree in oracle.in_degree() if degree > 1}
    assert [set(level) for level in graph.levels] == [set(level) for level in nx.topological_generations(oracle)]
    assert (graph.cycle, graph.blocked) == ((), ())
    for node in oracle:
        assert set(graph.descendants(node)) == nx.descendants(oracle, node)
        assert set(graph.ancestors(node)) == nx.ancestors(oracle, node)
        assert graph.depth(node) == next(at for at, level in enumerate(graph.levels) if node in level)


def simple_paths(oracle: nx.DiGraph, source: str, target: str) -> set[tuple[str, ...]]:
    return {(source,)} if source == target else {tuple(path) for path in nx.all_simple_paths(oracle, source, target)}


@pytest.mark.apart
@given(dags(7))
def test_paths_are_those_of_networkx_and_are_counted_exactly(workflow: Workflow) -> None:
    graph, oracle = WorkflowGraph(workflow), networkx_of(workflow)
    whole = [path for root in graph.roots for leaf in graph.leaves for path in simple_paths(oracle, root, leaf)]
    found = list(graph.paths())
    assert len(found) == len(set(found)) == graph.count_paths()
    assert set(found) == set(whole)
    through = [set(path) for path in whole]
    assert set(graph.bottlenecks) == set.intersection(*through)
    for source in oracle:
        for target in oracle:
            expected = simple_paths(oracle, source, target)
            assert set(graph.paths(source, target)) == expected
            assert graph.count_paths(source, target) == len(expected)
            assert graph.reaches(source, target) == bool(expected)
            assert set(graph.between(source, target)) == {node for path in expected for node in path}


@given(dags(), st.lists(st.integers(0, 20), min_size=9, max_size=9))
def test_the_critical_path_is_the_longest(workflow: Workflow, given_: list[int]) -> None:
    graph, oracle = WorkflowGraph(workflow), networkx_of(workflow)
    durations = {node.id: given_[at] for at, node in enumerate(workflow.nodes)}
    for a, b in oracle.edges:
        oracle[a][b]["weight"] = durations[b]
    whole = [simple_paths(oracle, root, leaf) for root in graph.roots for leaf in graph.leaves]
    longest = max(sum(durations[node] for node in path) for paths_ in whole for path in paths_)
    critical = graph.critical_path(durations)
    assert critical is not None
    assert critical.length == longest == sum(durations[node] for node in critical.nodes)
    assert nx.is_path(oracle, critical.nodes)


@pytest.mark.apart
@settings(max_examples=300)
@given(any_graphs())
def test_a_cyclic_graph_is_analysed_as_far_as_it_goes(workflow: Workflow) -> None:
    graph, oracle = WorkflowGraph(workflow), networkx_of(workflow)
    on_cycles = {node for part in nx.strongly_connected_components(oracle) if len(part) > 1 for node in part}
    on_cycles |= {node for node in oracle if oracle.has_edge(node, node)}
    stuck = on_cycles | {node for start in on_cycles for node in nx.descendants(oracle, start)}
    assert set(graph.blocked) == stuck
    assert {node for level in graph.levels for node in level} == set(oracle) - stuck
    if not stuck:
        assert graph.cycle == () and graph.critical_path() is not None
        return
    assert nx.is_path(oracle, [*graph.cycle, graph.cycle[0]])
    back = nx.shortest_path_length
    assert len(graph.cycle) == min(back(oracle, b, a) + 1 for a, b in oracle.edges if nx.has_path(oracle, b, a))
    assert graph.critical_path() is None
    assert graph.count_paths() is None
    assert graph.bottlenecks == ()
    assert set(graph.process().names(graph.process().blocked)) == stuck
    for source in oracle:
        for target in oracle:
            expected = simple_paths(oracle, source, target)
            found = list(graph.paths(source, target))
            assert len(found) == len(set(found))
            assert set(found) == expected
            assert graph.count_paths(source, target) in (None, len(expected))


def test_paths_too_many_to_list_are_counted_exactly_and_listed_lazily() -> None:
    """D8: all paths (lazy and bounded: counted exactly even where there are too many to list)."""
    graph = WorkflowGraph(ladder(2_000))
    assert graph.count_paths() == 2**2_000
    some = graph.paths(limit=3)
    first = next(some)
    assert len(first) == 4_001
    assert len(list(some)) == 2
    exponent = int(2_000 * math.log10(2))
    assert graph.process().path_count == f"{10 ** (2_000 * math.log10(2) - exponent):.6f}e+{exponent}"
    assert WorkflowGraph(ladder(100)).process().path_count == str(2**100)


def test_the_default_bound_on_a_listing_is_the_named_one() -> None:
    assert sum(1 for _ in WorkflowGraph(ladder(14)).paths()) == paths.paths_listed_max


def test_a_listing_between_two_nodes_does_not_go_where_no_path_is() -> None:
    """D8: beside the one path there is a labyrinth of 2**300 dead ends; a search without pruning never comes back."""
    maze = ladder(300)
    nodes = (*maze.nodes, Node(id="side", type="log"), Node(id="goal", type="log"))
    ends = (Connection(source="n0", target="side"), Connection(source="side", target="goal"))
    graph = WorkflowGraph(Workflow(id="maze", nodes=nodes, connections=(*maze.connections, *ends)))
    assert list(graph.paths("n0", "goal")) == [("n0", "side", "goal")]
    assert list(graph.paths("n1", "goal")) == []


def test_a_cycle_does_not_lock_a_listing_in() -> None:
    """All of a complete graph leads to the goal, but only by its gate: once that is passed the rest is no way out."""
    size = 30
    edges = [(a, b) for a in range(size) for b in range(size) if a != b]
    graph = WorkflowGraph(workflow_of(size + 1, [*edges, (0, size)]))
    assert list(graph.paths("n0", f"n{size}")) == [("n0", f"n{size}")]
    assert len(list(graph.paths("n1", f"n{size}", limit=500))) == 500


def test_a_cycle_that_is_too_tangled_names_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "path_looks_max", 100)
    edges = [(a, b) for a in range(20) for b in range(20) if a != b]
    with pytest.raises(paths.TooTangled, match="path_looks_max"):
        list(WorkflowGraph(workflow_of(20, edges)).paths("n0", "n1"))


def test_a_short_cycle_is_found_among_long_ones() -> None:
    size = 2_000
    ring = [(number, (number + 1) % size) for number in range(size)]
    assert WorkflowGraph(workflow_of(size, [*ring, (1_502, 1_500)])).cycle == ("n1500", "n1501", "n1502")


@pytest.mark.apart
def test_depth_costs_no_stack() -> None:
    size = 50_000
    chain = [(number, number + 1) for number in range(size - 1)]
    graph = WorkflowGraph(workflow_of(size, chain))
    assert len(graph.levels) == size and len(next(graph.paths())) == size
    closed = WorkflowGraph(workflow_of(size, [*chain, (size - 1, 0)]))
    assert len(closed.cycle) == len(closed.blocked) == size
    assert closed.roots == () and list(closed.paths()) == []


def test_off_graph_nodes_are_apart_as_in_the_plan() -> None:
    """SEMANTICS 22: roots, leaves and off-graph nodes are those that the machine runs by."""
    workflow = ms.loads("""
id: saga
nodes:
  - {id: book, type: log, compensationNodeId: unbook}
  - {id: pay, type: log, dependsOn: [book], fallbackNodeId: owe}
  - {id: unbook, type: log}
  - {id: owe, type: log}
  - {id: refund, type: log}
  - {id: mail, type: log, dependsOn: [pay]}
connections:
  - {source: pay, target: refund, isCompensation: true}
""").workflow
    graph, plan = WorkflowGraph(workflow), Plan(workflow)
    assert graph.off_graph == ("unbook", "owe", "refund") == tuple(n.path for n in plan.nodes if n.off_graph)
    assert graph.roots == tuple(node.path for node in plan.roots)
    assert graph.leaves == tuple(node.path for node in plan.leaves)
    assert graph.levels == (("book",), ("pay",), ("mail",))
    assert graph.depth("owe") is None and graph.successors("pay") == ("mail",)
    helping = [(e.source, e.target, e.kind) for e in graph.structure.edges if e.helps]
    assert helping == [(1, 4, "compensation"), (0, 2, "compensation"), (1, 3, "fallback")]


def test_a_compensation_is_no_path_even_where_its_target_is_on_the_graph() -> None:
    nodes = tuple(Node(id=name, type="log") for name in "abc")
    connections = (
        Connection(source="a", target="b"),
        Connection(source="b", target="c"),
        Connection(source="a", target="c", is_compensation=True),
    )
    graph = WorkflowGraph(Workflow(id="w", nodes=nodes, connections=connections))
    assert graph.off_graph == ()
    assert list(graph.paths()) == [("a", "b", "c")]
    assert graph.predecessors("c") == ("b",)


@pytest.mark.apart
@given(dags())
def test_edges_are_numbered_as_in_the_plan(workflow: Workflow) -> None:
    edges = WorkflowGraph(workflow).structure.edges
    assert [(e.source, e.target) for e in edges] == [(c.source, c.target) for c in Plan(workflow).connections]


@given(dags())
def test_processed_is_a_stable_value(workflow: Workflow) -> None:
    """D8: `process()` is stored with each version: the same bytes for the same definition, and back."""
    processed = WorkflowGraph(workflow).process()
    data = processed.to_json()
    assert ProcessedWorkflow.from_json(data) == processed
    assert WorkflowGraph(canonical.decode(canonical.encode(workflow))).process().to_json() == data
    assert processed.depths == tuple(WorkflowGraph(workflow).depth(name) for name in processed.nodes)


def test_the_stored_form_is_pinned() -> None:
    """Changing it is a decision: it is written into stores."""
    assert SMALL.process().to_json() == (
        b'{"workflow":"drawn","nodes":["n0","n1","n2","n3","n4","n5"],"successors":[[1,2],[3],[3],[4,5],[],[]],'
        b'"connections":6,"roots":[0],"leaves":[4,5],"levels":[[0],[1,2],[3],[4,5]],"branchPoints":[0,3],'
        b'"convergencePoints":[3],"criticalPath":[0,1,3,4],"bottlenecks":[0,3],"pathCount":"4"}'
    )
    assert SMALL.process().width == 2


def test_it_takes_what_load_gives() -> None:
    definition = ms.loads("id: w\nnodes: [{id: a, type: log}, {id: b, type: log, dependsOn: [a]}]")
    assert ms.WorkflowGraph(definition).adjacency() == {"a": ("b",), "b": ()}
    built = ms.Workflow("w", nodes=[ms.Node("a", "log"), ms.Node("b", "log", depends_on=["a"])])
    assert ms.WorkflowGraph(built).process() == ms.WorkflowGraph(definition).process()


def test_errors_speak_to_their_reader() -> None:
    with pytest.raises(UnknownNode, match=r"has no node 'n55'; did you mean `n5`\?"):
        SMALL.successors("n55")
    for bad in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            SMALL.critical_path({"n0": bad})
    with pytest.raises(ms.DefinitionError) as caught:
        WorkflowGraph(
            Workflow(
                id="w",
                nodes=(
                    Node(id="a", type="log", depends_on=("x",), fallback_node_id="y"),
                    Node(id="a", type="log", compensation_node_id="z"),
                ),
                connections=(Connection(source="a", target="b"),),
            )
        )
    assert [one.code for one in caught.value.findings] == ["MS203", "MS206", "MS207", "MS215", "MS215"]


def test_a_large_graph_is_no_problem() -> None:
    """D8: a graph of 20,000 nodes and 60,000 connections that is wide, deep and full of paths (100,000: benchmarks)."""
    size = 20_000
    edges = [(at, at + step) for at in range(size) for step in (1, 2, 137) if at + step < size]
    processed = WorkflowGraph(workflow_of(size, edges)).process()
    assert len(processed.levels) == size
    assert processed.path_count is not None and processed.path_count.partition("e+")[2].isdigit()
