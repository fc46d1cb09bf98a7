"""The naive interpreter itself, by hand: each rule of docs/semantics.md, "Routing", in a graph small enough to see."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from .naive import Naive, Shape, edges_of, work
from .plain_graphs import BAD, OK, graph

EACH, ANY = {"kind": "each"}, {"kind": "any"}
RACE = {"kind": "any", "cancelOthers": True}


def run(graph: dict[str, Any], *ends: str | tuple[str, int]) -> Naive:
    """The graph, with these ends in this order; a name alone is the node's run that is under way."""
    naive = Naive(graph)
    naive.begin()
    for end in ends:
        naive.turn(end if isinstance(end, tuple) else next(key for key in naive.under_way if key[0] == end))
    return naive


def statuses(naive: Naive) -> str:
    """All nodes' statuses by their first letters (completed, failed, skipped, pending, running...); x is cancelled."""
    return "".join("x" if node.status == "cancelled" else node.status[0] for node in naive.nodes.values())


def inputs(naive: Naive, id: str) -> list[Any]:
    return [run.input for run in naive.nodes[id].runs]


def out(*path: int) -> Any:
    """What a chain of functions makes of the instance's input, each with its base."""
    value: Any = {"x": 1}
    for base in path:
        value = work(base, value)
    return value


def test_it_imports_nothing_from_mainspring() -> None:
    """Issue 3: whoever writes the rules twice must not copy them."""
    folder = Path(__file__).parent / "naive"
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{file.name} looks outside its folder"
                names = [node.module or ""] if node.level == 0 else []
            assert not any(name.split(".")[0] in ("mainspring", "tests") for name in names), file.name


# --- joins


def base(number: int) -> dict[str, Any]:
    return {"outcomes": [{**OK, "base": number}]}


TWO = {"a": base(1), "b": base(2)}


def test_all_waits_for_every_token_and_runs_on_one_message() -> None:
    g = graph("a>j b>j", a={"outcomes": [BAD]}, b=base(2))
    assert run(g, "a").nodes["j"].status == "pending"
    naive = run(g, "a", "b", "j")
    assert inputs(naive, "j") == [{"b": out(2)}]
    assert (statuses(naive), naive.unhandled) == ("fcc", 1)


@pytest.mark.parametrize(("order", "first"), [("ab", 1), ("ba", 2)])
def test_any_takes_the_first_message_and_absorbs_the_rest(order: str, first: int) -> None:
    naive = run(graph("a>j b>j", **TWO, j={"join": ANY}), *order, "j")
    assert inputs(naive, "j") == [out(first)]
    assert naive.done


def test_any_passes_over_skips() -> None:
    g = graph("a>j b>j", {"trigger": "fail"}, **TWO, j={"join": ANY})
    assert statuses(run(g, "a")) == "crp"
    assert statuses(run(g, "a", "b")) == "ccr"
    assert statuses(run(graph("a>j b>j", {"trigger": "fail"}, {"trigger": "fail"}, j={"join": ANY}), "a", "b")) == "ccs"


def test_n_takes_the_first_n_messages_keyed_in_the_order_of_connections() -> None:
    g = graph("a>j b>j c>j", **TWO, c=base(3), j={"join": {"kind": "n", "n": 2}})
    naive = run(g, "c", "a", "b", "j")
    assert inputs(naive, "j") == [{"a": out(1), "c": out(3)}]


def test_n_is_skipped_as_soon_as_n_messages_can_no_longer_come() -> None:
    fails = {"trigger": "fail"}
    g = graph("a>j b>j c>j", fails, fails, **TWO, j={"join": {"kind": "n", "n": 2}})
    assert statuses(run(g, "a")) == "crrp"
    assert statuses(run(g, "a", "b")) == "ccrs"


def test_each_runs_once_per_message_one_after_the_other() -> None:
    g = graph("a>j b>j", **TWO, j={"join": EACH})
    naive = run(g, "b", "a")
    assert naive.under_way.keys() == {("j", 1)}
    naive = run(g, "b", "a", "j", "j")
    assert inputs(naive, "j") == [out(2), out(1)]
    assert naive.output == [out(2, 0), out(1, 0)]
    assert naive.done


def test_a_repeating_node_gathers_until_nothing_can_come() -> None:
    g = graph("a>j b>j j>k", **TWO, j={"join": EACH})
    assert statuses(run(g, "a", "j")) == "crgr"
    assert statuses(run(g, "a", "j", "k")) == "crgg"
    assert statuses(run(g, "a", "j", "k", "b", "j")) == "cccr"
    assert run(g, "a", "j", "k", "b", "j", "k").output == [out(1, 0, 0), out(2, 0, 0)]


def test_one_failed_run_fails_a_repeating_node_and_the_others_go_on() -> None:
    worse = {**BAD, "type": "B"}
    g = graph("a>j b>j c>j", **TWO, c=base(3), j={"join": EACH, "outcomes": [OK, worse, BAD]})
    naive = run(g, "a", "b", "c", "j", "j", "j")
    assert statuses(naive) == "cccf"
    assert naive.nodes["j"].error == {"type": "B", "code": None, "context": None, "fatal": False}
    assert naive.output == [out(1, 0)], "the only leaf's output is what there is of it"


def test_each_runs_failure_is_one_of_its_own_and_may_be_handled() -> None:
    g = graph("a>j b>j j>k", {}, {}, {"trigger": "fail"}, j={"join": EACH, "outcomes": [BAD]}, k={"type": "log"})
    assert run(g, "a", "b", "j", "j").unhandled == 0
    g["connections"][2]["trigger"] = "complete"
    naive = run(g, "a", "b", "j", "j")
    assert (naive.unhandled, statuses(naive)) == (2, "ccfs")


def test_a_repeating_node_that_gets_no_message_is_skipped() -> None:
    fails = {"trigger": "fail"}
    assert statuses(run(graph("a>j b>j j>k", fails, fails, j={"join": EACH}), "a", "b")) == "ccss"


def test_ports_pair_the_first_of_each_queue_and_absorb_what_is_left() -> None:
    p, q = {"targetPort": "p"}, {"targetPort": "q"}
    g = graph(
        "a>j b>j c>j d>j e>j", p, p, p, q, q, **TWO, c=base(3), d=base(4), e=base(0), j={"join": {"kind": "ports"}}
    )
    naive = run(g, "c", "a", "d", "b", "e", "j", "j")
    assert inputs(naive, "j") == [{"p": out(3), "q": out(4)}, {"p": out(1), "q": out(0)}]
    assert naive.done
    assert naive.nodes["j"].status == "completed"


def test_ports_are_skipped_when_one_of_them_can_get_nothing() -> None:
    g = graph("a>j b>j", {"targetPort": "p", "trigger": "fail"}, j={"join": {"kind": "ports"}})
    assert statuses(run(g, "a")) == "crs"


# --- cancelOthers


def test_cancel_others_cancels_what_runs_and_skips_what_has_not_begun() -> None:
    g = graph("a>j b>c c>j", j={"join": RACE})
    assert statuses(run(g, "a")) == "cxsr"
    assert run(g, "a", "j").done


def test_who_leads_elsewhere_too_is_not_stopped() -> None:
    naive = run(graph("a>j b>j b>d", j={"join": RACE}), "a")
    assert naive.nodes["b"].status == "running"


def test_what_was_decided_to_start_and_has_not_begun_is_skipped() -> None:
    naive = run(graph("a>l a>j l>j", l={"type": "log"}, j={"join": RACE}), "a")
    assert naive.nodes["l"].status == "skipped"
    assert naive.nodes["j"].status == "running"


# --- waves


def test_what_passes_through_comes_a_wave_later() -> None:
    naive = run(graph("a>l l>j a>j", l={"type": "log"}, a=base(1), j={"join": ANY}), "a")
    assert [message.connection for message in naive.nodes["j"].runs[0].taken] == [2]


def test_what_ends_at_once_does_so_in_the_order_of_the_decisions() -> None:
    logs = {"type": "log"}
    naive = run(graph("a>m a>l l>j m>j", l=logs, m=logs, j={"join": ANY}), "a")
    assert [message.connection for message in naive.nodes["j"].runs[0].taken] == [3]


def test_a_skipped_node_puts_its_skips_before_its_turn_comes() -> None:
    """So d, which waits for a and for b's skip, is decided before e."""
    logs = {"type": "log"}
    g = graph("a>b a>d a>e b>d e>j d>j", {"trigger": "fail"}, d=logs, e=logs, j={"join": ANY})
    assert [message.connection for message in run(g, "a").nodes["j"].runs[0].taken] == [5]


def test_a_delay_of_no_length_ends_at_once() -> None:
    assert statuses(run(graph("d>j", d={"type": "delay", "duration": 0}))) == "cr"
    assert statuses(run(graph("d>j", d={"type": "delay"}))) == "rp"


# --- room


def slow(capacity: int | None) -> dict[str, Any]:
    each = {**EACH, "capacity": capacity} if capacity else None
    return graph("a>r b>r c>r r>s", r={"join": EACH}, s={"join": each})


def test_upstream_waits_for_room() -> None:
    """s has one place: while it works on one message and another waits, r takes no third."""
    naive = run(slow(None), "a", "b", "c", "r", "r")
    assert naive.under_way.keys() == {("s", 1)}
    naive.turn(("s", 1))
    assert naive.under_way.keys() == {("r", 3), ("s", 2)}


def test_a_larger_inbox_lets_it_go_on() -> None:
    naive = run(slow(2), "a", "b", "c", "r", "r")
    assert naive.under_way.keys() == {("s", 1), ("r", 3)}


def test_a_source_that_may_still_send_has_its_place_kept() -> None:
    """Two places, one for x, which has not ended: r's second message may come, its third may not."""
    naive = run(graph("a>r b>r r>s x>s", r={"join": EACH}, s={"join": EACH}), "a", "b", "r", "r")
    assert naive.under_way.keys() == {("s", 1), ("x", 1)}
    naive = run(graph("a>r b>r c>r r>s x>s", r={"join": EACH}, s={"join": EACH}), "a", "b", "c", "r", "r")
    assert ("r", 3) not in naive.under_way, "one waits, x may send, and r would"
    naive.turn(("s", 1))
    assert ("r", 3) in naive.under_way


# --- inputs


def test_inputs_are_keyed_by_source_or_connection_or_number() -> None:
    g = graph("a>j a>j b>j", {"id": "first"}, **TWO)
    assert inputs(run(g, "a", "b"), "j") == [{"first": out(1), "a:1": out(1), "b": out(2)}]


def test_inputs_are_keyed_by_port() -> None:
    p = {"targetPort": "p"}
    assert inputs(run(graph("a>j", p, a=base(1)), "a"), "j") == [{"p": out(1)}]
    assert inputs(run(graph("a>j", p, a=base(1), j={"join": ANY}), "a"), "j") == [out(1)]
    assert inputs(run(graph("a>j b>j c>j", p, {}, p, **TWO, c=base(3)), "c", "b", "a"), "j") == [
        {"p": [out(1), out(3)], "default": out(2)}
    ]
    dead = {"targetPort": "p", "trigger": "fail"}
    assert inputs(run(graph("a>j b>j c>j", dead, {}, dead, **TWO), "a", "b", "c"), "j") == [{"default": out(2)}]


def test_a_failed_source_sends_its_error() -> None:
    naive = run(graph("a>j", {"trigger": "fail"}, a={"outcomes": [BAD]}), "a")
    assert inputs(naive, "j") == [{"type": "A", "code": None, "context": None, "fatal": False}]


# --- the shape


def test_how_often_nodes_can_run() -> None:
    p = {"targetPort": "p"}
    g = graph("a>e b>e e>f e>f a>q b>q a>q a>z b>z", *[{}] * 4, p, p, e={"join": EACH}, f={"join": EACH})
    g["nodes"].append({**g["nodes"][0], "id": "unused"})
    shape = Shape(
        {**g, "nodes": [{**node, **({"join": {"kind": "ports"}} if node["id"] == "q" else {})} for node in g["nodes"]]}
    )
    assert shape.most == {"a": 1, "b": 1, "e": 2, "f": 4, "q": 1, "z": 1, "unused": 1}


def test_depends_on_adds_a_connection_unless_one_fires_on_completion() -> None:
    dependent = {"dependsOn": ["a", "b", "c"]}
    g = graph("a>j b>j c>x", {}, {"trigger": "fail"}, j=dependent)
    assert [(edge["source"], edge["trigger"]) for edge in edges_of(g)[3:]] == [("b", "complete"), ("c", "complete")]


# --- the instance


def test_fail_fast_stops_in_the_turn_of_the_first_unhandled_failure() -> None:
    naive = run(graph("a>b c>d", a={"outcomes": [BAD]}, policy="fail_fast"), "a")
    assert naive.stopped
    assert naive.under_way_before == {("a", 1), ("c", 1)}


def test_a_parked_instance_decides_all_on_resume_in_the_order_of_the_definition() -> None:
    naive = run(graph("a>j b>j", **TWO, j={"join": ANY}))
    naive.park()
    naive.turn(("b", 1))
    naive.turn(("a", 1))
    assert not naive.under_way
    naive.resume()
    assert inputs(naive, "j") == [out(2)]
    naive.turn(("j", 1))
    assert (naive.done, naive.status) == (True, "completed")


# --- nodes that decide


def decides(
    *cases: tuple[str, Any], all: bool = False, default: str = "default", type: str = "switch"
) -> dict[str, Any]:
    return {"type": type, "decides": {"cases": cases, "all": all, "default": default}}


YES, NO, RAISE = ("missing", 0), ("input", 9), ("raise", 0)


def by(*ports: str | None) -> list[dict[str, Any]]:
    return [{"port": port} for port in ports]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (decides(("p", YES), ("q", YES)), "cscss"),
        (decides(("p", NO), ("q", YES)), "csscs"),
        (decides(("p", NO), ("q", NO)), "csssc"),
        (decides(("p", NO), default="q"), "csscs"),
        (decides(("p", YES), ("q", YES), all=True), "csccs"),
        (decides(("p", YES), ("q", RAISE)), "cscss"),
        (decides(("p", YES), ("q", RAISE), all=True), "fcsss"),
    ],
)
def test_a_switch_leaves_by_the_ports_of_its_cases(node: dict[str, Any], expected: str) -> None:
    """b is on a failure; a connection without a port (none here but b's) would never fire."""
    edges = [{"trigger": "fail"}, *by("p", "q", "default")]
    log = {"type": "log"}
    naive = run(graph("a>b a>c a>d a>e", *edges, a=node, b=log, c=log, d=log, e=log))
    assert statuses(naive) == expected
    if expected[0] == "f":
        assert naive.output["b"] == {"type": "ConditionError", "code": "q", "context": None, "fatal": False}


def test_a_terminate_ends_it_all() -> None:
    end = {"type": "terminate", "decides": {"status": "cancelled", "wraps": True}}
    naive = run(graph("a>k b>c a>d", k=end), "a")
    assert (statuses(naive), naive.done) == ("cxssc", True)
    assert (naive.status, naive.output) == ("cancelled", {"last": out(0)})
    assert naive.skipped == ["c", "d"]
