"""Blocks and their bodies (docs/semantics-blocks.md): loops, branches, races, what ends them. N5, SEMANTICS 26, 27."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.capturing import capture, restore
from mainspring.machine.nodes import blocks, bodies, many
from mainspring.machine.packed import CHUNK, Packed

from .harness import Run, asked, dispatched, encoded, names, run_of

LOG = {"type": "log"}


def node(id: str, type: str = "function", *after: str, **fields: Any) -> dict[str, Any]:
    """A node of a body."""
    return {"id": id, "type": type, "dependsOn": list(after), **fields}


def made(id: str, output: Any, *after: str) -> dict[str, Any]:
    """A transform of a body."""
    return node(id, "transform", *after, config={"output": output})


def block(
    type: str,
    *nodes: dict[str, Any],
    text: str = "k",
    input: Any = None,
    workflow: dict[str, Any] | None = None,
    output: Any = None,
    connections: Any = (),
    fields: dict[str, Any] | None = None,
    others: dict[str, Any] | None = None,
    **config: Any,
) -> Run:
    """A started run of a graph whose node k is this block with one body."""
    body = {"nodes": list(nodes), "connections": list(connections)} | ({} if output is None else {"output": output})
    k = {"type": type, "config": {**config, "body": body}, **(fields or {})}
    return run_of(text, input, workflow, **{**dict.fromkeys("abcdexyz", LOG), **(others or {}), "k": k})


def branches(type: str, *lists: list[dict[str, Any]], text: str = "k", fields: Any = None, **config: Any) -> Run:
    """The same with several bodies."""
    graphs = [{"nodes": nodes} for nodes in lists]
    k = {"type": type, "config": {"branches": graphs, **config}, **(fields or {})}
    return run_of(text, {"in": 1}, None, **{**dict.fromkeys("abcdexyz", LOG), "k": k})


def error(run: Run, path: str = "k") -> str:
    found = run.state(path).error
    assert found is not None, run.state(path)
    return f"{found.type}: {found.message}"


def addresses(run: Run) -> list[str]:
    return list(run.instance.open)


# --- forEach


@pytest.mark.parametrize(
    ("items", "seen"),
    [
        ([3, "x", None], [3, "x", None]),
        ("${ input.list }", [1, 2]),
        ("input.list", [1, 2]),
        (3, [0, 1, 2]),
        ({"a": 1, "b": [2]}, [{"key": "a", "value": 1}, {"key": "b", "value": [2]}]),
        ([], []),
        (0, []),
    ],
)
def test_items(items: Any, seen: list[Any]) -> None:
    run = block("forEach", made("x", "${ item }"), input={"list": [1, 2]}, items=items)
    assert (run.status, run.output) == ("completed", seen)


@pytest.mark.parametrize(
    ("bounds", "seen"),
    [
        ({"to": 2}, [0, 1, 2]),
        ({"from": 1, "to": 7, "step": 3}, [1, 4, 7]),
        ({"from": 3, "to": 1, "step": -1}, [3, 2, 1]),
        ({"from": 3, "to": 1}, []),
        ({"from": "${ input.list[0] }", "to": "input.list[1]"}, [1, 2]),
    ],
)
def test_a_range_has_both_its_ends(bounds: Any, seen: list[int]) -> None:
    run = block("forEach", made("x", "${ item }"), input={"list": [1, 2]}, range=bounds)
    assert (run.status, run.output) == ("completed", seen)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"items": "${ 'text' }"},
            'LoopError: `items` is a list, an object or a whole number of at least 0, and not "text"',
        ),
        ({"items": "${ input.nothing }"}, "and not null"),
        ({"items": -1}, "and not -1"),
        ({"items": True}, "and not true"),
        ({"items": 1_000_001}, "loop_items_max is 1000000"),
        ({"items": "${ 1 / 0 }"}, "MappingError: the items failed"),
        ({"range": {"to": "${ 'x' }"}}, "LoopError: `to` of a range is a whole number"),
        ({"range": {"to": 3, "step": 0}}, "LoopError: `step` of a range is 0"),
        ({"range": {"to": 3_000_000}}, "loop_items_max"),
    ],
)
def test_what_is_nothing_to_go_through(config: Any, message: str) -> None:
    run = block("forEach", made("x", 1), **config)
    assert run.status == "failed" and message in error(run)


def test_concurrency_bounds_what_is_open_and_results_keep_the_order() -> None:
    run = block("forEach", node("x"), items=[1, 2, 3, 4], concurrency=2)
    assert addresses(run) == ["k[0]", "k[1]"]
    assert run.input_of("k[1].x") == 2
    run.finish("k[1].x", "b")
    assert addresses(run) == ["k[0]", "k[2]"]
    run.finish("k[2].x", "c")
    run.finish("k[3].x", "d")
    assert addresses(run) == ["k[0]"]
    run.finish("k[0].x", "a")
    assert (run.status, run.output) == ("completed", ["a", "b", "c", "d"])


def test_what_a_body_gives() -> None:
    """Its output mapping; or its only leaf; or its completed leaves by id."""
    run = block(
        "forEach", made("x", 1), made("y", 2, "x"), items=1, output={"sum": "${ nodes.x.output + nodes.y.output }"}
    )
    assert run.output == [{"sum": 3}]
    assert block("forEach", made("x", 1), made("y", 2, "x"), items=1).output == [2]
    assert block("forEach", made("x", 1), made("y", 2), items=1).output == [{"x": 1, "y": 2}]


def test_a_failed_body_fails_the_loop_and_stops_the_others() -> None:
    run = block("forEach", node("x"), node("y", "log", "x"), items=5, concurrency=3, text="k -fail-> z")
    turn = run.fail("k[1].x", "Broken", "no luck", code="E7", context={"n": 1})
    assert error(run) == "Broken: k[1]: no luck"
    assert run.state("k").error.code == "E7"
    assert names(turn)[:6] == [
        "NodeFailed",
        "NodesSkipped",
        "ScopeEnded",
        "NodesCancelled",
        "ScopeEnded",
        "NodesCancelled",
    ]
    assert [effect.path for effect in asked(turn, fx.AbandonTask)] == ["k[0].x", "k[2].x"]
    assert (run.status, run.nodes["z"], addresses(run)) == ("completed", "completed", [])


def test_a_failure_that_a_body_handles_is_none() -> None:
    run = block(
        "forEach",
        node("x"),
        made("y", "mended"),
        items=2,
        connections=[{"source": "x", "target": "y", "trigger": "fail"}],
    )
    run.fail("k[0].x")
    run.fail("k[1].x")
    assert (run.status, run.output) == ("completed", ["mended", "mended"])


def test_collect_tells_of_errors_beside_the_results() -> None:
    run = block("forEach", node("x"), items=3, onError="collect")
    run.finish("k[0].x", "a")
    run.fail("k[1].x", "Broken", "no luck")
    run.finish("k[2].x", "c")
    assert run.status == "completed"
    assert run.output["results"] == ["a", None, "c"]
    assert [(one["index"], one["error"]["type"], one["error"]["message"]) for one in run.output["errors"]] == [
        (1, "Broken", "no luck")
    ]


def test_succeed_at_ends_as_soon_as_enough_have_completed() -> None:
    run = block("forEach", node("x"), items=5, concurrency=5, succeedAt=2)
    run.fail("k[0].x")
    run.finish("k[3].x", "d")
    turn = run.finish("k[1].x", "b")
    assert [effect.path for effect in asked(turn, fx.AbandonTask)] == ["k[2].x", "k[4].x"]
    assert run.output["results"] == [None, "b", None, "d", None]
    assert [one["index"] for one in run.output["errors"]] == [0]


def test_succeed_at_fails_as_soon_as_too_few_can() -> None:
    run = block("forEach", node("x"), items=3, concurrency=3, succeedAt=2)
    run.fail("k[0].x")
    run.fail("k[1].x")
    assert error(run) == "TooFewSucceeded: succeedAt is 2, and no more than 1 can complete"
    assert error(block("forEach", node("x"), items=1, succeedAt=2)).startswith("TooFewSucceeded")


def test_stop_when_keeps_the_results_so_far() -> None:
    run = block(
        "forEach", node("x"), items=[5, 6, 7, 8], stopWhen="value.found && item == 6 && index == 1 && loop.count == 4"
    )
    run.finish("k[0].x", {"found": True})
    run.finish("k[1].x", {"found": True})
    assert (run.status, run.output) == ("completed", [{"found": True}, {"found": True}])
    failing = block("forEach", made("x", 1), items=2, stopWhen="1 / 0 == 1")
    assert error(failing).startswith("ConditionError: stopWhen failed")


def test_items_are_added_while_it_runs() -> None:
    run = block("forEach", made("x", "${ item }"), items=[3], more="${ item > 0 ? [item - 1] : null }")
    assert run.output == [3, 2, 1, 0]
    assert (
        error(block("forEach", made("x", 1), items=1, more="${ 'text' }"))
        == 'LoopError: `more` is a list or null, and not "text"'
    )
    assert error(block("forEach", made("x", 1), items=1, more="${ 1 / 0 }")).startswith("MappingError: more failed")


def test_a_turn_begins_no_more_bodies_than_are_good_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODIES_PER_TURN_MAX", 3)
    run = block("forEach", made("x", "${ item }"), items=7, concurrency=2)
    rounds = 0
    while run.status == "running":
        run.recover() if rounds % 2 else None
        run.timer("k", "bodies")
        rounds += 1
    assert (rounds, run.output) == (2, list(range(7)))


def test_a_turn_that_has_had_its_fill_of_bodies_still_ends_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODIES_PER_TURN_MAX", 3)
    run = block("forEach", made("x", "${ item }"), items=3)
    assert (run.status, run.output, run.armed()) == ("completed", [0, 1, 2], {})
    waiting = block("forEach", node("x"), items=3, concurrency=9)
    assert waiting.armed() == {}, "nothing is left to begin, so no turn is asked for"


def test_items_that_are_added_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "LOOP_ITEMS_MAX", 2)
    run = block("forEach", made("x", "${ item }"), items=[1], more="${ [7, 8] }")
    assert error(run) == "LoopError: there are 3 items, and loop_items_max is 2"


def test_the_output_of_a_body_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "PAYLOAD_BYTES_MAX", 9)
    run = block("forEach", made("x", "short"), items=1, output="long enough")
    assert error(run) == "PayloadTooLarge: k[0]: the output has 13 bytes of JSON, and payload_bytes_max is 9"


def test_a_condition_is_asked_when_a_pass_can_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODIES_PER_TURN_MAX", 2)
    run = block("while", made("x", "${ loop.state + 1 }"), condition="value < 2", initial=0, text="k -> a")
    assert (run.status, [key[3] for key in run.armed()]) == ("running", ["bodies"])
    run.timer("k", "bodies")
    assert (run.status, run.output) == ("completed", 2)


def test_a_packed_list_is_the_same_however_full_its_last_text_is() -> None:
    for count in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1):
        packed = Packed()
        packed.extend(msgspec.json.encode(list(range(count))))
        again = Packed.of(packed.parts())
        again.append(b"7")
        assert msgspec.json.decode(again.joined()) == [*range(count), 7]


# --- while, until


def test_while_carries_its_state() -> None:
    run = block("while", made("x", "${ loop.state + 2 }"), condition="value < 5", initial=0)
    assert (run.status, run.output) == ("completed", 6)
    assert block("while", made("x", "${ loop.state + 2 }"), condition="value < 5", initial=0, collect=True).output == [
        2,
        4,
        6,
    ]
    assert block("while", node("x"), condition="false", input={"n": 1}).output == {"n": 1}


def test_until_makes_one_pass_at_least() -> None:
    assert block("until", made("x", "${ index }"), condition="true").output == 0
    assert block("until", made("x", "${ index }"), condition="index == 3 && loop.state == 2").output == 2


def test_the_entry_nodes_of_a_pass_get_the_state() -> None:
    run = block("while", node("x"), condition="index < 2", initial={"n": 7})
    assert run.input_of("k[0].x") == {"n": 7}
    run.finish("k[0].x", {"n": 8})
    assert run.input_of("k[1].x") == {"n": 8}


def test_a_loop_without_an_end_is_ended() -> None:
    run = block("while", made("x", 1), condition="true", maxIterations=5)
    assert error(run) == "IterationLimit: it has made 5 passes, and maxIterations is 5"
    assert block("while", made("x", 1), condition="index < 5", maxIterations=5).status == "completed"
    assert error(block("while", made("x", 1), condition="1 / 0 > 1")).startswith("ConditionError: the condition failed")
    assert error(block("while", made("x", 1), condition="true", initial="${ 1 / 0 }")).startswith(
        "MappingError: the initial state"
    )


def test_a_failed_pass_fails_the_loop() -> None:
    run = block("until", node("x"), condition="false")
    run.fail("k[0].x", "Broken", "no luck")
    assert error(run) == "Broken: k[0]: no luck"


# --- branches


def test_parallel_runs_all_branches_and_lists_their_outputs() -> None:
    run = branches("parallel", [node("x")], [node("y")], [made("z", "c")])
    assert addresses(run) == ["k[0]", "k[1]"]
    assert run.input_of("k[1].y") == {"in": 1}
    run.finish("k[1].y", "b")
    run.finish("k[0].x", "a")
    assert (run.status, run.output) == ("completed", ["a", "b", "c"])


def test_parallel_with_bounds() -> None:
    run = branches("parallel", [node("x")], [node("y")], [node("z")], concurrency=1, onError="collect")
    assert addresses(run) == ["k[0]"]
    run.fail("k[0].x")
    run.finish("k[1].y", "b")
    run.finish("k[2].z", "c")
    assert run.output["results"] == [None, "b", "c"]


def test_the_first_that_completes_wins_a_race() -> None:
    run = branches("race", [node("x")], [node("y")], [node("z")])
    run.fail("k[0].x")
    turn = run.finish("k[2].z", "c")
    assert [effect.path for effect in asked(turn, fx.AbandonTask)] == ["k[1].y"]
    assert (run.status, run.output) == ("completed", "c")


def test_a_race_that_nobody_wins_fails_with_the_first_error() -> None:
    run = branches("race", [node("x")], [node("y")])
    run.fail("k[1].y", "First", "one")
    run.fail("k[0].x", "Second", "two")
    assert error(run) == "First: k[1]: one"


# --- all blocks


def test_bodies_within_bodies() -> None:
    inner = node(
        "in",
        "forEach",
        config={"items": "${ loop.item }", "body": {"nodes": [made("x", ["${ item }", "${ loop.outer.index }"])]}},
    )
    run = block("forEach", inner, items=[[1, 2], [3]])
    assert run.output == [[[1, 0], [2, 0]], [[3, 1]]]


def test_an_address_is_never_used_twice() -> None:
    """A block that runs several times goes on counting: keys and reports of its runs cannot be mistaken."""
    run = block(
        "forEach", node("x", input="${ index }"), items=2, text="a -> k; b -> k", fields={"join": {"kind": "each"}}
    )
    seen = []
    while run.status == "running":
        path = addresses(run)[0]
        seen.append((path, run.input_of(f"{path}.x")))
        run.finish(f"{path}.x", path)
    assert seen == [("k[0]", 0), ("k[1]", 1), ("k[2]", 0), ("k[3]", 1)]
    assert run.output == [["k[0]", "k[1]"], ["k[2]", "k[3]"]]


def test_names_look_outward() -> None:
    run = block(
        "forEach",
        made("x", "${ nodes.a.output.n + index }"),
        made("a2", "${ nodes.x.output }", "x"),
        items=2,
        text="a -> k",
        input={"n": 5},
    )
    assert run.output == [5, 6]
    plain = run_of("a", None, a={"type": "transform", "config": {"output": ["${ item }", "${ index }", "${ loop }"]}})
    assert plain.output == [None, None, None]


def test_a_timeout_stops_the_bodies() -> None:
    run = block("forEach", node("x"), items=2, fields={"timeout": 500}, text="k -fail-> z")
    turn = run.timer("k", "timeout")
    assert error(run) == "NodeTimeout: no end within 500 ms"
    assert [effect.path for effect in asked(turn, fx.AbandonTask)] == ["k[0].x"]
    by_port = block("forEach", node("x"), items=2, fields={"timeout": 500}, text="k -@timeout-> z", input={"n": 1})
    by_port.timer("k", "timeout")
    assert (by_port.status, by_port.output) == ("completed", {"n": 1})


def test_terminate_in_a_body_ends_the_instance() -> None:
    run = block(
        "forEach",
        node("x"),
        node("t", "terminate", "x", config={"output": 9}),
        items=3,
        concurrency=3,
        text="k -> z; a -> z",
    )
    turn = run.finish("k[1].x")
    assert (run.status, run.output, addresses(run)) == ("completed", 9, [])
    assert run.nodes == {"k": "cancelled", "z": "skipped", "a": "completed"}
    assert len(asked(turn, fx.AbandonTask)) == 2


def test_cancelling_the_instance_stops_from_the_inside_out() -> None:
    inner = node("in", "forEach", config={"items": 1, "body": {"nodes": [node("x")]}})
    run = block("forEach", inner, items=2, concurrency=2)
    turn = run.take(inputs.CancelInstance())
    told = [(type(event).__name__, getattr(event, "path", "")) for event in turn.events]
    assert told == [
        ("InstanceCancelRequested", ""),
        ("NodesCancelled", ""),
        ("ScopeEnded", "k[0].in"),
        ("NodesCancelled", ""),
        ("ScopeEnded", "k"),
        ("NodesCancelled", ""),
        ("ScopeEnded", "k[1].in"),
        ("NodesCancelled", ""),
        ("ScopeEnded", "k"),
        ("NodesCancelled", ""),
        ("InstanceCancelled", ""),
    ]


def test_fail_fast_stops_the_rest_of_the_body_only() -> None:
    run = block(
        "forEach",
        node("x"),
        node("y"),
        items=2,
        concurrency=2,
        onError="collect",
        workflow={"failure_policy": "fail_fast"},
    )
    turn = run.fail("k[0].x")
    assert [effect.path for effect in asked(turn, fx.AbandonTask)] == ["k[0].y"]
    assert (run.status, addresses(run)) == ("running", ["k[1]"])
    run.finish("k[1].x", 1)
    run.finish("k[1].y", 2)
    assert (run.status, run.output["results"]) == ("completed", [None, {"x": 1, "y": 2}])


def test_with_continue_the_other_branches_of_a_body_run_to_their_end() -> None:
    run = block("forEach", node("x"), node("y"), items=1)
    run.fail("k[0].x", "First", "one")
    assert run.status == "running"
    run.fail("k[0].y", "Second", "two")
    assert error(run) == "First: k[0]: one"


# --- variables


def test_variables_of_a_body_are_its_own_until_it_has_ended() -> None:
    run = block("forEach", node("x"), node("y", "function", "x"), items=2, concurrency=2, text="a -> k -> z", fields={})
    run.finish("k[0].x", variables=encoded({"v": 0}))
    assert run.instance.variables == b"{}"
    assert asked_variables(run, "k[0].y") == b'{"v":0}'
    run.finish("k[1].x", variables=encoded({"v": 1}))
    turn = run.finish("k[1].y")
    assert run.instance.variables == b"{}", "the body before it has not ended"
    turn = run.finish("k[0].y")
    assert run.instance.variables == b'{"v":1}'
    assert [event for event in turn.events if isinstance(event, ev.VariablesConflict)] == [
        ev.VariablesConflict("k", 1, 1, ("v",))
    ]


def test_a_body_conflicts_with_each_that_it_was_open_with() -> None:
    """Not only with the one that wrote last: the first was open all the while, the second was not when the third began."""
    run = block("forEach", node("x"), items=3, concurrency=2, text="a -> k -> z", fields={})
    run.finish("k[1].x", variables=encoded({"v": 1}))
    run.finish("k[2].x", variables=encoded({"v": 2}))
    turn = run.finish("k[0].x", variables=encoded({"v": 0}))
    assert run.instance.variables == b'{"v":2}'
    assert [event for event in turn.events if isinstance(event, ev.VariablesConflict)] == [
        ev.VariablesConflict("k", 1, 1, ("v",)),
        ev.VariablesConflict("k", 1, 2, ("v",)),
    ]


def test_bodies_that_had_to_wait_for_one_that_is_stopped_tell_of_their_conflict() -> None:
    run = block("forEach", node("x"), items=3, concurrency=3, text="k -@timeout-> z", fields={"timeout": 500})
    run.finish("k[1].x", variables=encoded({"v": 1}))
    run.finish("k[2].x", variables=encoded({"v": 2}))
    turn = run.timer("k", "timeout")
    assert run.instance.variables == b'{"v":2}'
    assert ev.VariablesConflict("k", 1, 2, ("v",)) in turn.events


def asked_variables(run: Run, path: str) -> bytes:
    orders = [effect for effect in run.effects if isinstance(effect, fx.DispatchTask) and effect.path == path]
    return orders[-1].variables


def test_a_pass_sees_what_the_one_before_set() -> None:
    run = block("while", node("x"), condition="variables.n != 2")
    run.finish("k[0].x", variables=encoded({"n": 1}))
    assert asked_variables(run, "k[1].x") == b'{"n":1}'
    turn = run.finish("k[1].x", variables=encoded({"n": 2}))
    assert run.status == "completed" and "VariablesConflict" not in names(turn)


def test_what_a_failed_body_set_is_dropped() -> None:
    run = block("forEach", node("x"), node("y", "function", "x"), items=1, onError="collect")
    run.finish("k[0].x", variables=encoded({"n": 1}))
    run.fail("k[0].y")
    assert (run.status, run.instance.variables) == ("completed", b"{}")


# --- crashes, and standing still


def test_a_crash_touches_the_tasks_within_and_not_the_block() -> None:
    run = block("forEach", node("x"), items=3, concurrency=2, fields={"timeout": 900})
    turn = run.recover()
    assert [ref.path for event in turn.events if isinstance(event, ev.NodesRequeued) for ref in event.runs] == [
        "k[0].x",
        "k[1].x",
    ]
    assert dispatched(turn) == [("k[0].x", 2), ("k[1].x", 2)]
    assert ("k", 1, 1, "timeout") in run.armed()


def test_a_body_does_not_end_while_the_instance_stands_still() -> None:
    run = block("forEach", node("x"), made("y", "done", "x"), items=2)
    run.take(inputs.ParkInstance(reason="look"))
    run.finish("k[0].x")
    assert addresses(run) == ["k[0]"]
    run.take(inputs.ResumeInstance())
    assert addresses(run) == ["k[1]"]
    run.finish("k[1].x")
    assert run.output == ["done", "done"]


def test_a_report_from_a_body_that_is_gone_is_dropped() -> None:
    run = branches("race", [node("x")], [node("y")], text="k -> z")
    identity = run.identity("k[1].y")
    run.finish("k[0].x")
    assert run.take(inputs.TaskFinished(**identity)).dropped == "stale"


def test_a_snapshot_is_the_same_in_whatever_order_blocks_were_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded instance has blocks with open bodies first; one that began them in another order has the same snapshot."""
    monkeypatch.setattr(bodies, "BODIES_PER_TURN_MAX", 1)
    quick = {"type": "forEach", "config": {"items": 2, "body": {"nodes": [made("x", 1)]}}}
    run = block("forEach", node("x"), items=1, text="a -> m; a -> k", fields={}, others={"m": quick})
    run.timer("k", "bodies")
    assert (list(run.instance.open), len(run.instance.blocks)) == (["k[0]"], 2)
    captured = capture(run.instance)
    again = capture(restore(run.instance.plan, run.instance.id, captured))
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(captured)


# --- mutex, cancel, milestone


def test_a_mutex_waits_for_its_lock_and_gives_it_back() -> None:
    run = block("mutex", node("x"), name="stock-${ input.sku }", input={"sku": "s1"})
    asks = [effect for effect in run.effects if isinstance(effect, fx.AskAdmission)]
    assert [(one.path, one.resource, one.held) for one in asks] == [("k", "lock:stock-s1", False)]
    assert (run.state("k").waits_for, addresses(run)) == ("lock stock-s1", [])
    again = run.recover()
    assert [one.held for one in asked(again, fx.AskAdmission)] == [False]
    run.take(inputs.AdmissionGranted(path="k", run=1))
    assert addresses(run) == ["k[0]"]
    again = run.recover()
    assert [(one.resource, one.held) for one in asked(again, fx.AskAdmission)] == [("lock:stock-s1", True)]
    assert run.take(inputs.AdmissionGranted(path="k", run=1)).dropped == "stale"
    turn = run.finish("k[0].x", "done")
    assert [(one.path, one.run) for one in asked(turn, fx.ReleaseAdmission)] == [("k", 1)]
    assert run.output == "done"


def test_a_mutex_keeps_its_lock_while_the_instance_is_parked() -> None:
    run = block("mutex", node("x"), name="stock")
    run.take(inputs.AdmissionGranted(path="k", run=1))
    run.take(inputs.ParkInstance(reason="look"))
    again = run.recover()
    assert [(one.path, one.resource, one.held) for one in asked(again, fx.AskAdmission)] == [("k", "lock:stock", True)]
    waiting = block("mutex", node("x"), name="stock")
    waiting.take(inputs.ParkInstance(reason="look"))
    assert asked(waiting.recover(), fx.AskAdmission) == [], "what it does not hold it asks for when it goes on"


def test_cancel_stops_what_it_lists_and_their_targets_decide() -> None:
    run = run_of(
        "x -> y -> z; a -> c; z -> d; b -> e; c -> d",
        None,
        x={}, y={}, z={}, d=LOG, a={}, b={}, e={},
        c={"type": "cancel", "config": {"nodes": ["x", "e", "a"]}},
    )  # fmt: skip
    turn = run.finish("a", 5)
    assert [effect.path for effect in asked(turn, fx.AbandonTask)] == ["x"]
    assert run.nodes["x"] == "cancelled" and run.nodes["e"] == run.nodes["y"] == run.nodes["z"] == "skipped"
    assert run.nodes["a"] == run.nodes["d"] == "completed"


@pytest.mark.parametrize(
    ("done", "port"),
    [([], None), (["a"], "open"), (["b"], "closed"), (["a", "b"], "open")],
)
def test_a_milestone_is_open_between_two_nodes(done: list[str], port: str | None) -> None:
    m = {"type": "milestone", "config": {"after": "a", "before": "c"}}
    run = run_of("a; b -> c; m -@open-> o; m -@closed-> x", None, a={}, b={}, c={}, o=LOG, x=LOG, m=m)
    for path in done:
        run.finish(path)
    assert run.nodes["m"] == ("waiting" if port is None else "completed")
    assert (run.nodes["o"], run.nodes["x"]) == {
        None: ("pending", "pending"),
        "open": ("completed", "skipped"),
        "closed": ("skipped", "completed"),
    }[port]


def test_a_milestone_whose_node_failed_is_closed() -> None:
    m = {"type": "milestone", "config": {"after": "a"}}
    run = run_of("a; m -@open-> o; m -@closed-> x", None, a={}, o=LOG, x=LOG, m=m)
    run.fail("a")
    assert run.nodes["x"] == "completed"


def test_nothing_of_a_finished_loop_is_left() -> None:
    run = block("forEach", node("x"), items=2, text="k -> z -> y", fields={})
    run.finish("k[0].x", 1)
    run.finish("k[1].x", 2)
    assert not run.instance.open and not run.instance.blocks


def test_terminate_after_a_node_that_ended_in_the_same_wave() -> None:
    """Nothing follows from that node any more: its scope is gone."""
    run = block("subflow", node("x", "log"), node("y", "log", "x"), node("t", "terminate"))
    assert (run.status, run.nodes["k"]) == ("completed", "cancelled")


def test_fail_fast_that_is_said_holds_beside_succeed_at() -> None:
    run = block("forEach", node("x"), items=2, succeedAt=1, onError="failFast")
    run.fail("k[0].x", "Broken", "no luck")
    assert error(run) == "Broken: k[0]: no luck"


def test_a_node_that_waits_for_room_goes_on_where_its_target_is_stopped() -> None:
    each = {"join": {"kind": "each"}}
    stop = {"type": "cancel", "config": {"nodes": ["n4"]}}
    run = run_of("n0 -> n2; n1 -> n2; n0 -> n3; n2 -> n4", None, n0=LOG, n1=LOG, n2=LOG | each, n3=stop, n4=LOG)
    assert (run.status, run.nodes["n2"], run.nodes["n4"]) == ("completed", "completed", "skipped")


def test_a_run_that_was_stopped_sends_nothing_and_needs_no_room() -> None:
    each = {"join": {"kind": "each"}}
    stop = {"type": "cancel", "config": {"nodes": ["b"]}}
    run = run_of(
        "a -#1-> b; a -#2-> b; a -#3-> c; a -#4-> c; b -> c; b -> d; c -> d",
        None,
        a=LOG,
        b=each,
        c=stop | each,
        d=LOG | each,
    )
    runs = [(event.path, event.run) for event in run.events if isinstance(event, ev.NodeActivated)]
    assert runs == [("b", 1), ("c", 1), ("c", 2), ("d", 1), ("d", 2)]
