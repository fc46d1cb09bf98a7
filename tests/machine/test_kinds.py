"""Kinds of node that decide (docs/semantics.md): if, switch, transform, log, terminate. N4, N5."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.nodes import own_config, running, transform

from .harness import Run, asked, dispatched, run_of

LOG = {"type": "log"}


def kind(
    type: str, /, text: str = "k", input: Any = None, workflow: dict[str, Any] | None = None, **config: Any
) -> Run:
    """A run of a graph whose node k is of this type; all others are logs."""
    others = dict.fromkeys("abcdefyz", LOG)
    return run_of(text, input, workflow, **{**others, "k": {"type": type, "config": config}})


def error(run: Run, path: str = "k") -> str:
    """What a node failed with."""
    failed = run.state(path).error
    assert failed is not None, run.state(path)
    return f"{failed.type}: {failed.message}"


# --- what they have in common


def test_they_end_in_the_turn_in_which_they_start() -> None:
    """N4, N5: nothing is ordered, so a crash finds nothing to do again."""
    run = run_of(
        "i -@true-> s -@default-> t -> l",
        {"n": 1},
        i={"type": "if", "config": {"condition": "true"}},
        s={"type": "switch", "config": {"conditions": [{"id": "no", "expression": "false"}]}},
        t={"type": "transform", "config": {"output": {"n": "${ value.n + 1 }"}}},
        l={"type": "log", "config": {"message": "n is ${ value.n }"}},
    )
    assert (run.status, run.output) == ("completed", {"n": 2})
    assert len(run.rows) == 1 and not dispatched_ever(run)
    assert run.recover().events == []


def dispatched_ever(run: Run) -> list[fx.Effect]:
    return [effect for effect in run.effects if isinstance(effect, fx.DispatchTask)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("value.v", 3),
        ("input.x", 7),
        ("variables.y", 8),
        ("nodes.a.output.v", 3),
        ("nodes.k.status", "running"),
        ("workflow.id", "w"),
        ("item", None),
        ("output", None),
    ],
)
def test_their_config_sees_what_mappings_see_and_their_own_input(text: str, expected: Any) -> None:
    run = run_of(
        "a -> k", {"x": 7}, a={"type": "function"}, k={"type": "transform", "config": {"output": f"${{ {text} }}"}}
    )
    run.finish("a", {"v": 3}, variables=b'{"y":8}')
    assert run.output == expected


def test_value_is_null_on_connections_and_in_mappings() -> None:
    run = run_of("a -[value == null]-> b", {"x": 1}, a=LOG, b={**LOG, "input": {"v": "${ value }"}})
    assert run.output == {"v": None}


def test_value_is_what_a_mapping_made() -> None:
    k = {"type": "if", "input": {"n": "${ input.x }"}, "config": {"condition": "value.n == 1"}}
    run = run_of("k -@true-> a", {"x": 1}, k=k, a=LOG)
    assert run.output == {"n": 1}


def test_each_run_of_a_repeating_node_decides_for_itself() -> None:
    each = {"join": {"kind": "each"}}
    run = run_of(
        "a -> k; b -> k; k -@true-> y; k -@false-> z",
        k={"type": "if", "config": {"condition": "value > 1"}, **each},
        y=LOG,
        z=LOG,
    )
    run.finish("a", 1)
    run.finish("b", 2)
    assert run.output == {"y": [2], "z": [1]}


def test_they_are_never_tried_again() -> None:
    run = run_of("k", k={"type": "if", "config": {"condition": "1 / 0 > 1"}, "retry": {"maxAttempts": 5}})
    assert (run.status, run.state("k").attempt) == ("failed", 1)


@pytest.mark.parametrize("type", ["if", "transform", "log", "terminate"])
def test_an_output_too_large_fails_the_node(type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PAYLOAD_BYTES_MAX", 20)
    run = kind(type, input="x" * 19, condition="true", output="${ value }")
    assert error(run) == "PayloadTooLarge: the output has 21 bytes of JSON, and payload_bytes_max is 20"


@pytest.mark.parametrize("type", ["if", "transform", "log", "terminate"])
def test_an_output_schema_holds(type: str) -> None:
    config = {"condition": "true", "output": "${ value }"}
    run = run_of("k", 3, k={"type": type, "config": config, "outputSchema": {"type": "string"}})
    assert error(run).startswith("OutputInvalid: output: 3 is not of type")


def test_a_failure_leaves_by_a_fail_connection() -> None:
    run = kind("if", "k -@true-> a; k -fail-> b", condition="1 / 0 > 1")
    assert (run.status, run.nodes["b"]) == ("completed", "completed")


# --- if


@pytest.mark.parametrize(
    ("condition", "port"),
    [
        ("value.n > 1", "true"),
        ("value.n > 2", "false"),
        ("${ value.n > 1 }", "true"),
        ("value.none", "false"),
        (True, "true"),
        (False, "false"),
        ("${ value.n }", "true"),
        ("value.n - 2", "false"),
    ],
)
def test_an_if_leaves_by_true_or_by_false(condition: Any, port: str) -> None:
    """N5: its input goes on."""
    run = kind("if", "k -@true-> a; k -@false-> b", {"n": 2}, condition=condition)
    chosen, other = ("a", "b") if port == "true" else ("b", "a")
    assert (run.state("k").port, run.nodes[chosen], run.nodes[other]) == (port, "completed", "skipped")
    assert run.output == {chosen: {"n": 2}}


def test_an_if_has_no_primary_output() -> None:
    run = kind("if", "k -> a; k -all-> b; k -@true-> c", condition="true")
    assert run.nodes == {"k": "completed", "a": "skipped", "b": "skipped", "c": "completed"}


def test_a_port_without_connections_is_no_fault() -> None:
    run = kind("if", "k -@true-> a", condition="false")
    assert (run.status, run.nodes["a"]) == ("completed", "skipped")
    assert kind("if", expression="true").status == "completed"


def test_a_condition_on_the_way_out_is_asked_too() -> None:
    run = kind("if", "k -@true[output.n > 2]-> a; k -@true[output.n > 1]-> b", {"n": 2}, condition="true")
    assert (run.nodes["a"], run.nodes["b"]) == ("skipped", "completed")


def test_a_condition_that_raises_fails_the_if() -> None:
    run = kind("if", condition="1 / value > 1", input=0)
    assert error(run).startswith("ConditionError: the condition failed: ")
    assert "in `1 / value > 1`" in error(run)


# --- switch

SIZES = [
    {"id": "large", "expression": "value > 100"},
    {"id": "middle", "expression": "value > 10"},
    {"id": "odd", "when": "${ value % 2 == 1 }"},
]
WAYS = "k -@large-> a; k -@middle-> b; k -@odd-> c; k -@default-> d"


@pytest.mark.parametrize("type", ["switch", "decision"])
@pytest.mark.parametrize(
    ("n", "port", "chosen"), [(200, "large", "a"), (50, "middle", "b"), (3, "odd", "c"), (2, "default", "d")]
)
def test_a_switch_leaves_by_the_first_that_holds(type: str, n: int, port: str, chosen: str) -> None:
    run = kind(type, WAYS, n, conditions=SIZES)
    assert (run.state("k").port, run.output) == (port, {chosen: n})
    assert [run.nodes[id] for id in "abcd"].count("skipped") == 3


@pytest.mark.parametrize(
    ("n", "port", "chosen"), [(201, "large", "abc"), (50, "middle", "b"), (3, "odd", "c"), (2, "default", "d")]
)
def test_match_all_leaves_by_all_that_hold(n: int, port: str, chosen: str) -> None:
    """All at once: `fired` is the union, in the order of the connections."""
    run = kind("switch", WAYS, n, conditions=SIZES, match="all")
    ended = next(event for event in run.events if isinstance(event, ev.NodeCompleted) and event.path == "k")
    assert (ended.port, ended.fired) == (port, tuple("abcd".index(id) for id in chosen))
    assert {id for id in "abcd" if run.nodes[id] == "completed"} == set(chosen)


def test_match_all_in_a_repeating_node_and_with_conditions_that_raise() -> None:
    cases = [{"id": "p", "expression": "true"}, {"id": "q", "expression": "value == 2"}]
    k = {"type": "switch", "config": {"conditions": cases, "match": "all"}, "join": {"kind": "each"}}
    run = run_of("a -> k; b -> k; k -@q[1 / 0 > 1]-> z; k -@p-> y; k -@q-> x", k=k, x=LOG, y=LOG, z=LOG)
    run.finish("a", 1)
    run.finish("b", 2)
    assert (run.status, run.output) == ("failed", {"y": [1, 2], "x": [2]})
    assert names_of(run).count("RoutingFailed") == 1


def names_of(run: Run) -> list[str]:
    return [type(event).__name__ for event in run.events]


def test_the_default_can_be_called_anything_and_be_a_cases_port() -> None:
    assert kind("decision", WAYS, 2, conditions=SIZES, defaultPath="middle").output == {"b": 2}
    assert kind("switch", WAYS, 2, cases=SIZES, default="odd").output == {"c": 2}


def test_two_cases_may_share_a_port() -> None:
    cases = [{"port": "p", "expression": "value > 1"}, {"port": "p", "condition": "value < 1"}]
    for n, reached in ((0, True), (1, False), (2, True)):
        run = kind("switch", "k -@p-> a", n, conditions=cases, match="all")
        assert (run.nodes["a"] == "completed") == reached


def test_a_case_that_raises_is_named_and_later_ones_are_not_looked_at() -> None:
    cases = [
        {"id": "one", "expression": "value == 1"},
        {"id": "bad", "expression": "1 / value > 1"},
        {"id": "last", "expression": "true"},
    ]
    run = kind("switch", conditions=cases, input=0)
    assert error(run).startswith("ConditionError: the condition of the case `bad` failed: ")
    assert run.state("k").error.code == "bad"
    assert kind("switch", conditions=[cases[2], cases[1]], input=0).state("k").port == "last"
    assert kind("switch", conditions=[cases[2], cases[1]], input=0, match="all").nodes["k"] == "failed"


# --- transform

ROWS = {"rows": [{"n": 1}, {"n": 2}, {"n": 3}]}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"output": {"a": "${ value.rows[0].n }", "b": [1]}}, {"a": 1, "b": [1]}),
        ({"output": 5}, 5),
        ({"template": "${ len(value.rows) } rows"}, "3 rows"),
        ({"template": "${ value.rows[0] }"}, '{"n":1}'),
        ({"template": "${ null }"}, ""),
        ({"template": "as it is"}, "as it is"),
        ({"enrich": {"more": "${ value.rows[1].n }", "rows": 0}}, {"rows": 0, "more": 2}),
        ({"enrich": "${ value.rows[0] }"}, {**ROWS, "n": 1}),
        ({"map": {"items": "value.rows", "as": "${ item.n * 2 + index }"}}, [2, 5, 8]),
        ({"map": {"items": "${ value.rows }", "as": {"i": "${ index }", "of": "${ len(value.rows) }"}}},
         [{"i": 0, "of": 3}, {"i": 1, "of": 3}, {"i": 2, "of": 3}]),
        ({"map": {"items": ["x", "${ 1 }"], "as": "${ item }!"}}, ["x!", "1!"]),
        ({"map": {"items": [], "as": "${ item }"}}, []),
        ({"filter": {"items": "value.rows", "where": "item.n != 2"}}, [{"n": 1}, {"n": 3}]),
        ({"filter": {"items": "value.rows", "where": "${ index == 1 }"}}, [{"n": 2}]),
        ({"filter": {"items": [0, 1, "", None, [0]], "where": "item"}}, [1, [0]]),
        ({"reduce": {"items": "value.rows", "initial": 0, "next": "value + item.n"}}, 6),
        ({"reduce": {"items": "value.rows", "initial": 0.5, "next": "value + item.n"}}, 6.5),
        ({"reduce": {"items": "value.rows", "initial": "${ len(value.rows) }", "next": "value * 10 + index"}}, 3012),
        ({"reduce": {"items": "value.rows", "initial": {"s": 0}, "next": {"s": "${ value.s + item.n }"}}}, {"s": 6}),
        ({"reduce": {"items": [], "initial": ["none"], "next": "value"}}, ["none"]),
    ],
)  # fmt: skip
def test_a_transform_makes_its_output(config: dict[str, Any], expected: Any) -> None:
    """N4."""
    run = kind("transform", input=ROWS, **config)
    assert (run.status, run.output) == ("completed", expected)


def test_what_a_transform_does_not_look_at_is_not_decoded() -> None:
    assert kind("transform", input=ROWS, output="${ input.rows[2].n }").output == 3


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"output": {"a": {"b": "${ 1 / 0 }"}}}, "the output failed at `a.b`: "),
        ({"template": "x ${ 1 / 0 }"}, "the template failed: "),
        ({"enrich": "${ value.rows }"}, "the enrich failed: what is added is a list, no object"),
        ({"map": {"items": "value.none", "as": 1}}, "the map failed: its items are null, no list"),
        ({"map": {"items": "value", "as": 1}}, "the map failed: its items are an object, no list"),
        ({"map": {"items": "'text'", "as": 1}}, "the map failed: its items are a text, no list"),
        ({"map": {"items": "1 / 0", "as": 1}}, "the map failed: "),
        ({"map": {"items": "value.rows", "as": {"v": "${ 6 / (item.n - 2) }"}}}, "the map of item 1 failed at `v`: "),
        ({"filter": {"items": "7", "where": "true"}}, "the filter failed: its items are a number, no list"),
        ({"filter": {"items": "value.rows", "where": "1 / (2 - index) > 0"}}, "the filter of item 2 failed: "),
        (
            {"reduce": {"items": "true", "initial": 0, "next": "1"}},
            "the reduce failed: its items are a boolean, no list",
        ),
        ({"reduce": {"items": "value.rows", "initial": "${ 1 / 0 }", "next": "1"}}, "the reduce failed: "),
        ({"reduce": {"items": "value.rows", "initial": "", "next": "value + item.n"}}, "the reduce of item 0 failed: "),
    ],
)
def test_a_transform_that_cannot_says_where(config: dict[str, Any], said: str) -> None:
    run = kind("transform", input=ROWS, **config)
    assert error(run).startswith(f"TransformError: {said}"), error(run)


def test_only_an_object_can_be_enriched() -> None:
    assert error(kind("transform", input=[1], enrich={"a": 1})) == (
        "TransformError: the enrich failed: the input is a list, no object"
    )


def test_a_transform_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform, "ITEMS_MAX", 3)
    double = {"items": [1, 2, 3], "as": "${ item }"}
    assert kind("transform", map=double).output == [1, 2, 3]
    assert error(kind("transform", map={**double, "items": [1, 2, 3, 4]})) == (
        "TransformError: the map failed: it has 4 items, and items_max is 3"
    )
    monkeypatch.setattr(transform, "PAYLOAD_BYTES_MAX", 30)
    words = {"items": ["ten bytes"] * 3, "as": "${ item }"}
    assert error(kind("transform", map=words)) == (
        "TransformError: the map of item 2 failed: the list has more bytes of JSON than payload_bytes_max, 30"
    )
    assert "the filter of item 2" in error(kind("transform", filter={"items": words["items"], "where": "true"}))
    grows = {"items": [1, 2, 3], "initial": "12345678", "next": "value + value"}
    assert error(kind("transform", reduce=grows)) == (
        "TransformError: the reduce of item 1 failed: it came to 34 bytes of JSON, and payload_bytes_max is 30"
    )
    monkeypatch.setattr(transform, "REDUCED_BYTES_MAX", 40)
    stays = {"items": [1, 2, 3], "initial": "1234567890123", "next": "value"}
    assert error(kind("transform", reduce=stays)) == (
        "TransformError: the reduce of item 2 failed: all values so far have more bytes than reduced_bytes_max, 40"
    )


def test_all_evaluations_of_one_transform_share_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item alone is cheap; together they would hold up everybody else."""
    sums = {"items": list(range(50)), "as": "${ sum(value) }"}
    assert kind("transform", input=[1] * 100, map=sums).output == [100] * 50
    monkeypatch.setattr(transform, "TRANSFORM_STEPS_MAX", 1_000)
    run = kind("transform", input=[1] * 100, map=sums)
    assert "the evaluation takes more than steps_max, 1000 steps" in error(run)
    assert error(run).startswith("TransformError: the map of item ")


# --- log


def test_a_log_says_what_it_is_told() -> None:
    """N4: in the history, and to whoever listens, once that is durable."""
    run = kind("log", "k -> a", {"n": 2}, message="n is ${ value.n }", level="warning")
    assert ev.NodeLogged("k", 1, "warning", "n is 2") in run.events
    assert fx.Tell("k", 1, "warning", "n is 2") in run.effects
    assert names_of(run)[1:4] == ["NodeStarted", "NodeLogged", "NodeCompleted"]
    assert run.output == {"n": 2}


@pytest.mark.parametrize(
    ("message", "text"),
    [("plain", "plain"), ("${ null }", ""), ("${ [1, null] }", "[1,null]"), ({"n": "${ 1 }"}, '{"n":1}')],
)
def test_what_a_log_says_is_text(message: Any, text: str) -> None:
    run = kind("log", message=message)
    assert [event.message for event in run.events if isinstance(event, ev.NodeLogged)] == [text]


def test_a_log_without_a_message_says_nothing() -> None:
    assert "NodeLogged" not in names_of(kind("log", level="error"))


def test_a_level_that_nobody_knows_is_info() -> None:
    """Definitions that were pinned before levels were checked go on."""
    assert ev.NodeLogged("k", 1, "info", "x") in kind("log", message="x", level="loud").events


def test_what_a_log_says_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_config, "TEXT_CHARACTERS_MAX", 5)
    run = kind("log", message="${ value }", input="123456")
    assert ev.NodeLogged("k", 1, "info", "1234…") in run.events
    assert ev.NodeLogged("k", 1, "info", "12345") in kind("log", message="12345").events


def test_a_message_that_cannot_be_computed_fails_the_log() -> None:
    assert error(kind("log", message="n is ${ 1 / 0 }")).startswith("MappingError: the message failed: ")


# --- terminate

BUSY = "a -> k; b -> c; a -> d"


def terminated(**config: Any) -> Run:
    """b runs, c waits for it, d would start in the wave after a: then k ends it all."""
    nodes = {id: {"type": "function"} for id in "abcd"}
    run = run_of(BUSY, {"x": 1}, **{**nodes, "k": {"type": "terminate", "config": config}})
    run.finish("a", {"v": 5})
    return run


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_terminate_ends_the_instance_as_it_is_told(status: str) -> None:
    """N: what is under way is cancelled, what has not begun is skipped."""
    run = terminated(status=status, output={"got": "${ value.v }"}, reason="x is ${ input.x }")
    assert (run.status, run.output) == (status, {"got": 5})
    assert run.instance.reason == ("" if status == "completed" else "x is 1")
    assert run.nodes == {"a": "completed", "k": "completed", "b": "cancelled", "c": "skipped", "d": "skipped"}
    assert run.skips()["c"] == ("k ended the instance", "k")
    assert [type(effect).__name__ for effect in run.effects if isinstance(effect, fx.AbandonTask)] == ["AbandonTask"]


def test_terminate_is_by_default_a_good_end_with_its_input() -> None:
    run = terminated()
    assert (run.status, run.output, run.state("k").port) == ("completed", {"v": 5}, None)
    failed = terminated(status="failed", reason="${ null }")
    assert failed.instance.reason == "k ended the instance"


def test_nothing_comes_after_it() -> None:
    run = kind("terminate", "k -> a; k -@true-> b; k -all-> c", 1)
    assert run.nodes == {"k": "completed", "a": "skipped", "b": "skipped", "c": "skipped"}


def test_what_was_ordered_in_the_same_wave_is_taken_back() -> None:
    """b starts before k in the wave, c after it."""
    run = run_of("a -> b; a -> k; a -> c", k={"type": "terminate"})
    turn = run.finish("a")
    assert dispatched(turn) == [("b", 1)] and asked(turn, fx.AbandonTask)
    assert run.nodes == {"a": "completed", "b": "cancelled", "k": "completed", "c": "skipped"}


def test_a_failure_before_it_changes_nothing_about_the_end() -> None:
    run = run_of("a -> b; b -> c; k", a={"type": "if", "config": {"condition": "1 / 0"}}, k={"type": "terminate"})
    assert (run.status, run.instance.unhandled) == ("completed", 1)


def test_what_it_cancels_is_not_routed() -> None:
    run = run_of("a -fail-> z; b -> k", k={"type": "terminate"}, z=LOG)
    run.finish("b")
    assert (run.nodes["a"], run.nodes["z"], run.status) == ("cancelled", "skipped", "completed")


def test_timers_are_disarmed() -> None:
    run = run_of(
        "a; b -> k", {}, {"timeout": 500}, a={"type": "delay", "config": {"duration": 90}}, k={"type": "terminate"}
    )
    assert len(run.armed()) == 2
    run.finish("b")
    assert run.armed() == {}


@pytest.mark.parametrize("key", ["output", "reason"])
def test_an_end_that_cannot_be_computed_is_none(key: str) -> None:
    run = terminated(**{key: "${ 1 / 0 }"})
    assert error(run).startswith(f"MappingError: the {key} failed: ")
    assert (run.status, run.nodes["b"]) == ("running", "running")


def test_a_completed_end_is_held_to_the_workflows_schema() -> None:
    schema = {"output_schema": {"type": "string"}}
    run = kind("terminate", input=3, workflow=schema)
    assert (run.status, run.output) == ("failed", 3)
    assert run.instance.reason.startswith("the output does not match outputSchema: ")
    assert kind("terminate", input="x", workflow=schema).status == "completed"
    assert kind("terminate", input=3, workflow=schema, status="cancelled").status == "cancelled"


def test_the_workflows_output_mapping_is_not_asked() -> None:
    assert kind("terminate", input=3, workflow={"output": {"never": "${ 1 / 0 }"}}).output == 3


def test_one_run_of_a_repeating_terminate_is_enough() -> None:
    run = run_of("a -> k; b -> k; c -> k", k={"type": "terminate", "join": {"kind": "each"}})
    run.finish("b", "it")
    assert (run.status, run.output) == ("completed", "it")
    assert run.nodes == {"a": "cancelled", "b": "completed", "c": "cancelled", "k": "completed"}


def test_a_parked_instance_is_not_ended_until_it_goes_on() -> None:
    run = run_of("a -> k; b", k={"type": "terminate", "config": {"status": "failed"}})
    run.take(inputs.ParkInstance(reason="r"))
    run.finish("a")
    assert (run.status, run.nodes["k"]) == ("parked", "pending")
    run.take(inputs.ResumeInstance())
    assert (run.status, run.nodes["b"]) == ("failed", "cancelled")


@pytest.mark.parametrize("policy", ["fail_fast", "continue"])
def test_a_killer_whose_end_stops_another_killer(policy: str) -> None:
    """Two nodes are condemned in one turn, and the first one's end ends the instance: the second is cancelled, not failed."""
    after = "a -fail-> k; b" if policy == "continue" else "a; b"
    run = run_of(
        after, {}, {"failure_policy": policy}, **({"k": {"type": "terminate"}} if policy == "continue" else {})
    )
    for _ in range(5):
        run.recover()
        for path in "ab":
            if run.nodes[path] == "ready":
                run.take(inputs.AdmissionGranted(path=path, run=1))
    run.recover()
    assert (run.nodes["a"], run.nodes["b"]) == ("failed", "cancelled")
    assert run.status == ("completed" if policy == "continue" else "failed")
