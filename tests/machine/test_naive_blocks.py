"""The naive interpreter itself, by hand: each rule of docs/semantics-blocks.md in a graph small enough to see."""

from __future__ import annotations

from typing import Any

import pytest

from .naive import Naive, work
from .plain_graphs import BAD, OK, block, body, graph

LOG = {"type": "log"}
ONE = body(a=LOG)
"""A body that gives what it gets, at once."""
TASK = body(a={})
FAILS = body(a={"outcomes": [BAD]})
ERROR = {"type": "A", "code": None, "context": None, "fatal": False}


def told(type: str, error: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**(error or ERROR), "type": type}


def run(graph: dict[str, Any], *ends: str | tuple[str, int]) -> Naive:
    """The graph, with these ends in this order; an address alone is the node's first run."""
    naive = Naive(graph)
    naive.begin()
    for end in ends:
        naive.turn((end, 1) if isinstance(end, str) else end)
    return naive


def alone(node: dict[str, Any], *ends: str, input: Any = None, **others: dict[str, Any]) -> Naive:
    """A graph of one block, called b."""
    return run({**graph("", b=node, **others), "input": input}, *ends)


def under_way(naive: Naive) -> list[str]:
    return [path for path, _ in naive.under_way]


def get(path: str) -> tuple[str, str]:
    return ("get", path)


def compared(path: str, operator: str, number: int) -> tuple[str, Any]:
    return ("is", (path, operator, number))


# --- forEach


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([7, None, {"v": 1}], [7, None, {"v": 1}]),
        ({"k": 1, "l": 2}, [{"key": "k", "value": 1}, {"key": "l", "value": 2}]),
        (3, [0, 1, 2]),
        ([], []),
        ({"range": {"to": 2}}, [0, 1, 2]),
        ({"range": {"from": 5, "to": 1, "step": -2}}, [5, 3, 1]),
        ({"range": {"from": 5, "to": 1}}, []),
        (get("value.n"), [0, 1]),
    ],
)
def test_for_each_has_a_body_for_each_item(items: Any, expected: list[Any]) -> None:
    assert alone(block("forEach", ONE, items=items), input={"n": 2}).output == expected


@pytest.mark.parametrize(
    ("items", "type"),
    [
        (-1, "LoopError"),
        (1.5, "LoopError"),
        ({"range": {"to": 1, "step": 0}}, "LoopError"),
        (("raise",), "MappingError"),
    ],
)
def test_what_is_no_list_fails_it(items: Any, type: str) -> None:
    naive = alone(block("forEach", ONE, items=items))
    assert (naive.nodes["b"].error, naive.scopes_ended) == (told(type), [])


def test_one_body_after_the_other_unless_told() -> None:
    assert under_way(alone(block("forEach", TASK, items=3))) == ["b", "b[0].a"]
    naive = alone(block("forEach", TASK, items=3, concurrency=2), "b[1].a")
    assert under_way(naive) == ["b", "b[0].a", "b[2].a"]
    assert naive.scopes_ended == [("b[1]", "completed")]


def test_a_failed_body_fails_it_and_stops_the_others() -> None:
    inner = body(a={"outcomes": [BAD], "mapping": ("make", get("item"))}, b={"type": "wait", "wait": waits("s")})
    naive = alone(block("forEach", inner, items=2, concurrency=2))
    naive.turn(("b[0].a", 1))
    assert naive.status == "completed", "its other branch runs on"
    naive.signal("signal", "s", 1)
    assert (naive.nodes["b"].status, naive.nodes["b"].error) == ("failed", ERROR)
    assert naive.scopes_ended == [("b[0]", "failed"), ("b[1]", "cancelled")]
    assert naive.cancelled == ["b[1].a", "b[1].b"]


def test_collect_has_results_and_errors() -> None:
    inner = body(
        a={"type": "if", "decides": {"cases": [("true", compared("loop.index", "==", 1))], **IF}}, **FAIL_IF_TRUE
    )
    inner["connections"] = graph("a>b", {"port": "true"}, a={}, b={})["connections"]
    naive = alone(block("forEach", inner, items=[5, 6, 7], onError="collect"), "b[1].b")
    assert naive.output == {"results": [None, None, None], "errors": [{"index": 1, "error": ERROR}]}
    assert naive.status == "completed"


IF = {"default": "false", "all": False}
FAIL_IF_TRUE = {"b": {"outcomes": [BAD]}}


def test_succeed_at_is_enough_or_can_no_longer_be_reached() -> None:
    enough = alone(block("forEach", TASK, items=3, concurrency=3, succeedAt=1), "b[1].a")
    assert enough.output == {"results": [None, work(0, 1), None], "errors": []}
    assert enough.scopes_ended == [("b[1]", "completed"), ("b[0]", "cancelled"), ("b[2]", "cancelled")]
    few = alone(block("forEach", FAILS, items=3, succeedAt=2), "b[0].a", "b[1].a")
    assert few.nodes["b"].error == told("TooFewSucceeded")
    assert alone(block("forEach", TASK, items=1, succeedAt=2)).nodes["b"].error == told("TooFewSucceeded")


def test_fail_fast_that_is_asked_for_comes_before_succeed_at() -> None:
    naive = alone(block("forEach", FAILS, items=3, succeedAt=1, onError="failFast"), "b[0].a")
    assert naive.nodes["b"].error == ERROR


def test_stop_when_ends_it_with_what_there_is() -> None:
    assert alone(block("forEach", ONE, items=[4, 5, 6], stopWhen=compared("index", "==", 1))).output == [4, 5]
    failed = alone(block("forEach", ONE, items=[4], stopWhen=("raise", 0)))
    assert failed.nodes["b"].error == told("ConditionError")


def test_more_items_go_to_the_end() -> None:
    inner = body(a={**LOG, "mapping": ("make", get("loop.count"))})
    naive = alone(block("forEach", inner, items=[{"more": [{"more": [1]}]}, 2], more=get("item.more")))
    assert naive.output == [2, 3, 3, 4]
    bad = alone(block("forEach", ONE, items=[{"more": 3}], more=get("item.more")))
    assert bad.nodes["b"].error == told("LoopError")


# --- while, until


def passes(type: str, condition: Any, **config: Any) -> Any:
    naive = alone(block(type, body(a={**LOG, "mapping": ("make", {"n": get("index")})}), condition=condition, **config))
    return naive.output


def test_while_asks_before_each_pass_and_until_after() -> None:
    assert passes("while", compared("index", "<", 2)) == {"n": 1}
    assert passes("until", compared("index", ">", 1)) == {"n": 1}
    assert passes("while", compared("index", "<", 0)) is None, "no pass: the state is its input"
    assert passes("until", compared("index", ">", 0)) == {"n": 0}
    assert passes("while", compared("index", "<", 2), collect=True) == [{"n": 0}, {"n": 1}]
    assert passes("until", compared("value.n", "==", 2), initial={"n": 9}) == {"n": 2}


def test_a_pass_too_many_fails_it_after_the_condition() -> None:
    assert passes("while", compared("index", "<", 3), maxIterations=3) == {"n": 2}
    over = alone(block("while", ONE, condition=compared("index", "<", 4), maxIterations=3))
    assert over.nodes["b"].error == told("IterationLimit")
    assert alone(block("while", ONE, condition=("raise", 0))).nodes["b"].error == told("ConditionError")
    assert alone(block("until", FAILS, condition=("missing", 0)), "b[0].a").nodes["b"].error == ERROR


# --- parallel, race, mutex, subflow


def test_parallel_has_its_branches_outputs() -> None:
    naive = alone(block("parallel", TASK, ONE, concurrency=1), input=3)
    assert under_way(naive) == ["b", "b[0].a"]
    naive.turn(("b[0].a", 1))
    assert naive.output == [work(0, 3), 3]


def test_race_is_won_by_the_first_that_completes_and_leaves_by_its_name() -> None:
    p = {**TASK, "name": "p"}
    g = graph("b>c b>d", {"port": "p"}, b=block("race", p, TASK), c=LOG, d=LOG)
    first, second = run(g, "b[0].a"), run(g, "b[1].a")
    assert [first.nodes["c"].status, first.nodes["d"].status] == ["completed", "skipped"]
    assert [second.nodes["c"].status, second.nodes["d"].status] == ["skipped", "completed"]
    assert first.scopes_ended == [("b[0]", "completed"), ("b[1]", "cancelled")]


def test_race_fails_with_the_first_error_when_all_have() -> None:
    other = body(a={"outcomes": [{**BAD, "type": "B"}]})
    naive = alone(block("race", FAILS, other), "b[1].a")
    assert naive.nodes["b"].status == "running"
    naive.turn(("b[0].a", 1))
    assert naive.nodes["b"].error == told("B")


def test_mutex_asks_first() -> None:
    naive = alone(block("mutex", ONE, name="m"), input=3)
    assert under_way(naive) == ["b"]
    naive.admit(("b", 1))
    assert (naive.output, naive.scopes_ended) == (3, [("b[0]", "completed")])
    assert alone(block("mutex", ONE, name=("raise",))).nodes["b"].error == told("MappingError")


def test_a_body_has_a_mapping_or_its_leaves() -> None:
    assert alone(block("subflow", body(a=LOG, b=LOG)), input=1).output == {"a": 1, "b": 1}
    assert alone(block("subflow", body(a=LOG, b=LOG, output={"o": get("nodes.a.output")})), input=1).output == {"o": 1}
    raised = alone(block("subflow", body(a=LOG, output=("raise",))))
    assert raised.nodes["b"].error == told("MappingError")


def test_fail_fast_stops_the_rest_of_a_body_at_once() -> None:
    inner = body("b>c", a={"outcomes": [BAD]}, b={}, c={})
    naive = run(graph("b>d", {"trigger": "fail"}, b=block("subflow", inner), d=LOG, policy="fail_fast"), "b[0].a")
    assert (naive.cancelled, naive.skipped) == (["b[0].b"], ["b[0].c"])
    assert naive.status == "completed", "the failure was handled outside"


# --- names, addresses, variables


def test_addresses_count_over_all_runs() -> None:
    g = graph("a>b d>b", b={**block("forEach", TASK, items=1), "join": {"kind": "each"}})
    naive = run(g, "a", "d", "b[0].a", "b[1].a")
    assert (naive.done, [scope for scope, _ in naive.scopes_ended]) == (True, ["b[0]", "b[1]"])


def test_what_is_seen_in_a_body() -> None:
    inner = body(n={**LOG, "mapping": ("make", {"loop": get("loop"), "item": get("item")})})
    outer = body(b=block("while", inner, condition=compared("index", "<", 1)))
    [seen] = alone(block("forEach", outer, items=["x"])).output
    around = {"index": 0, "item": "x", "count": 1, "state": None, "outer": None}
    assert seen == {"item": None, "loop": {"index": 0, "item": None, "count": None, "state": "x", "outer": around}}


def test_names_are_looked_for_outward() -> None:
    seen = ("make", {"a": get("nodes.a.output"), "c": get("nodes.c.output")})
    inner = body("a>z", a=LOG, z={**LOG, "mapping": seen})
    naive = run({**graph("a>b c>b", a=LOG, c=LOG, b=block("subflow", inner)), "input": 5})
    assert naive.output == {"a": {"a": 5, "c": 5}, "c": 5}


SETS = [{**OK, "sets": ["v"]}]


def test_variables_are_a_bodys_own_until_it_has_ended_and_all_before_it() -> None:
    inner = body("a>z", a={"outcomes": SETS}, z={**LOG, "mapping": ("make", get("variables.v"))})
    naive = alone(block("forEach", inner, items=[1, 2], concurrency=2), "b[1].a")
    assert naive.root.variables == {}, "the first may still write"
    naive.turn(("b[0].a", 1))
    values = [work(0, 1)["v"], work(0, 2)["v"]]
    assert naive.output == values
    assert values[0] != values[1]
    assert naive.root.variables == {"v": values[1]}, "the later number wins"
    assert naive.conflicts == [("b[1]", ("v",))]


def test_failed_bodies_write_nothing() -> None:
    inner = body("a>z", a={"outcomes": SETS}, z={"outcomes": [BAD]})
    assert alone(block("subflow", inner), "b[0].a", "b[0].z").root.variables == {}


# --- the line of waves


def test_each_scope_has_its_turn() -> None:
    """Two bodies of two logs each: a, a, then z, z; and the block's neighbour, which ended before, comes between."""
    inner = body("a>z", a=LOG, z=LOG)
    naive = run(graph("m>n", b=block("forEach", inner, items=2, concurrency=2), m=LOG, n=LOG))
    assert [path for path, _ in naive.begun] == ["b", "m", "b[0].a", "b[1].a", "n", "b[0].z", "b[1].z"]


def test_at_most_a_hundred_bodies_begin_in_a_turn() -> None:
    naive = alone(block("forEach", ONE, items=150))
    assert (len(naive.scopes_ended), naive.done) == (100, False)
    naive.bodies_timer(("b", 1))
    assert (len(naive.output), naive.done) == (150, True)


def test_nothing_of_a_body_ends_while_the_instance_stands_still() -> None:
    naive = alone(block("forEach", TASK, items=2))
    naive.park()
    naive.turn(("b[0].a", 1))
    assert naive.scopes_ended == []
    naive.resume()
    assert under_way(naive) == ["b", "b[1].a"]


# --- waits


def waits(names: Any, kind: str = "signal", schema: str | None = None, transient: bool | None = None) -> dict[str, Any]:
    return {"kind": kind, "names": names, "schema": schema, "transient": transient}


def wait(*told: Any, timeout: int | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "wait", "wait": waits(*told, **more), "timeout": timeout}


def statuses(naive: Naive) -> str:
    return "".join(node.status[0] for node in naive.nodes.values())


def test_a_signal_is_taken_by_the_first_that_accepts_it() -> None:
    g = graph("", a=wait("s", "signal", "object"), b=wait("s"), c=wait("s"))
    naive = run(g)
    naive.signal("signal", "s", 3)
    assert (statuses(naive), naive.output) == ("rcr", {"b": 3})
    naive.signal("signal", "s", {})
    assert statuses(naive) == "ccr"


def test_an_event_goes_to_all() -> None:
    naive = run(graph("", a=wait("s", "event"), b=wait(["s", "t"], "event"), c=wait("s")))
    naive.signal("event", "s", 1)
    assert (statuses(naive), naive.output) == ("ccr", {"a": 1, "b": {"name": "s", "payload": 1}})


@pytest.mark.parametrize(
    ("later", "kind", "kept"),
    [
        (wait("s"), "signal", True),
        (wait("t"), "signal", False),
        (wait("s", transient=True), "signal", False),
        (wait("s", "event"), "event", False),
        (wait("s", "event", transient=False), "event", True),
        (wait(("text", "s")), "signal", True),
    ],
)
def test_what_nobody_takes_is_kept_for_a_wait_to_come(later: dict[str, Any], kind: str, kept: bool) -> None:
    naive = run(graph("a>b", b=later))
    naive.signal(kind, "s", 1)
    naive.signal(kind, "s", 2)
    naive.turn(("a", 1))
    assert statuses(naive) == ("cc" if kept else "cr")
    assert naive.output == (1 if kept else None)


def test_names_and_answers_are_ports() -> None:
    ports = [{"port": "s"}, {"port": "t"}, {"port": "approved"}, {"port": "rejected"}]
    w, a = wait(["s", "t"]), wait("ok", "approval")
    naive = run(graph("a>c a>d b>e b>f", *ports, a=w, b=a, c=LOG, d=LOG, e=LOG, f=LOG))
    naive.signal("signal", "t", 1)
    naive.signal("approval", "ok", {"approved": False})
    assert statuses(naive) == "ccscsc"


@pytest.mark.parametrize("node", [wait("s", timeout=9), block("subflow", TASK, timeout=9)])
def test_a_timeout_has_a_port_or_fails(node: dict[str, Any]) -> None:
    naive = run(graph("b>c", {"port": "timeout"}, b=node, c=LOG))
    naive.timeout(("b", 1))
    assert (statuses(naive), naive.output) == ("cc", {"x": 1})
    bare = run(graph("b>c", b=node, c=LOG))
    bare.timeout(("b", 1))
    assert (statuses(bare), bare.nodes["b"].error) == ("fs", told("NodeTimeout"))
    assert not bare.under_way


def test_a_delay_until_a_time() -> None:
    g = graph("", a={"type": "delay", "until": 500}, b={"type": "delay", "until": 1500})
    naive = Naive(g)
    naive.now = 1000
    naive.begin()
    assert statuses(naive) == "cr"


# --- stopping, milestones


def test_cancel_stops_what_it_lists() -> None:
    stop = {"type": "cancel", "cancels": ["c", "e", "b"]}
    naive = run(graph("b>d c>e y>z", b=block("subflow", TASK), c={}, z=stop), "y")
    assert (naive.cancelled, naive.skipped) == (["b[0].a", "c", "b"], ["e", "d"])
    assert (naive.nodes["z"].status, naive.done, naive.status) == ("completed", True, "completed")


def milestone(after: str | None, before: str | None) -> dict[str, Any]:
    return {"type": "milestone", "milestone": {"after": after, "before": before}}


def left_by(naive: Naive) -> str | None:
    return naive.nodes["m"].runs[0].port


def test_a_milestone_is_open_after_and_closed_before() -> None:
    assert left_by(run(graph("", m=milestone(None, "z"), z={}))) == "open"
    assert left_by(run(graph("", a={}, m=milestone(None, "a")))) == "closed"
    assert left_by(run(graph("", a={}, m=milestone("a", None)))) is None
    assert left_by(run(graph("", a={}, m=milestone("a", None)), "a")) == "open"
    assert left_by(run(graph("", a={"outcomes": [BAD]}, m=milestone("a", None)), "a")) == "closed"
    assert left_by(run(graph("c>d", a={}, c={}, d={}, m=milestone("a", "d")), "c")) == "closed"


def test_terminate_in_a_body_ends_the_whole() -> None:
    end = {"type": "terminate", "decides": {"status": "completed", "wraps": True}}
    inner = body("a>t", a={}, c={}, d=block("subflow", TASK), t=end)
    naive = run(graph("b>e", b=block("subflow", inner), f={}), "b[0].a")
    assert (naive.status, naive.output) == ("completed", {"last": work(0, {"x": 1})})
    assert naive.scopes_ended == [("b[0].d[0]", "cancelled"), ("b[0]", "cancelled")]
    assert naive.cancelled == ["b[0].d[0].a", "b[0].c", "b[0].d", "b", "f"]
    assert (naive.skipped, naive.done) == (["e"], True)
