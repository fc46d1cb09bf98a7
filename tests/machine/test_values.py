"""What travels from node to node, what an expression sees, and what the instance as a whole gives."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.machine.nodes import running

from .harness import Run, graph, names, run_of


@pytest.mark.parametrize(("size", "status"), [(42, "completed"), (43, "failed")])
@pytest.mark.parametrize("kind", ["log", "trigger", "delay"])
def test_passing_nodes_keep_the_payload_bound(
    monkeypatch: pytest.MonkeyPatch, kind: str, size: int, status: str
) -> None:
    """Joins nest what they pass on, so what is small enough for each task can grow in between."""
    monkeypatch.setattr(running, "PAYLOAD_BYTES_MAX", 100)
    run = Run(graph("a -> p; b -> p -> z", p={"type": kind, "config": {"duration": 1} if kind == "delay" else {}}))
    run.start()
    run.finish("a", "x" * size)
    run.finish("b", "y" * 43)
    if kind == "delay":
        run.timer("p", "delay")
    assert run.nodes["p"] == status, """{"a":"","b":""} has 15 bytes of its own"""
    if status == "failed":
        assert run.state("p").error.type == "PayloadTooLarge"
        assert "payload_bytes_max is 100" in run.state("p").error.message


def seen(expression: str) -> Any:
    """What the expression gives as node c's input, after a completed, b failed and s was skipped."""
    run = Run(graph("a -> c; b -all-> c; b -> s; a -> x", c={"input": {"it": f"${{ {expression} }}"}}))
    run.start({"n": 1})
    run.finish("a", {"v": [1, 2]})
    run.fail("b", "Boom", "no", code=7)
    return run.input_of("c")["it"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("nodes.a.status", "completed"),
        ("nodes.a.completed && !nodes.a.failed", True),
        ("nodes.a.output.v[1]", 2),
        ("nodes.a.error", None),
        ("nodes.b.error.code", 7),
        ("nodes.b.failed", True),
        ("nodes.b.attempts", 1),
        ("nodes.s.skipped", True),
        ("nodes.nowhere.output", None),
        ("len(nodes)", 5),
        ("keys(nodes)", ["a", "c", "b", "s", "x"]),
        ("workflow.instance", "i"),
        ("variables.none", None),
        ("output", None),
    ],
)
def test_what_an_expression_sees(expression: str, expected: Any) -> None:
    assert seen(expression) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a -> z", 1),
        ("a -> z; b -> z", {"a": 1, "b": 2}),
        ("a -> z; b -[false]-> z", {"a": 1}),
        ("a -> z; a -[true]#second-> z", {"a:0": 1, "second": 1}),
        ("a -#first-> z; a -#second-> z", {"first": 1, "second": 1}),
        ("a -#first-> z; a -[false]#second-> z; b -#third-> z", {"first": 1, "b": 2}),
        ("a -> z; a -all-> z", {"a:0": 1, "a:1": 1}),
        ("a -#b-> z; a -#c-> z; b -> z", {"a:0": 1, "c": 1, "b": 2}),
    ],
)
def test_default_input(text: str, expected: Any) -> None:
    """SEMANTICS 18: bare, or keyed by source; by the connection's id where two come from one source."""
    run = run_of(text)
    run.finish("a", 1)
    if "b" in run.nodes:
        run.finish("b", 2)
    assert run.input_of("z") == expected


def test_the_payload_of_a_failure_is_its_record() -> None:
    run = run_of("a -fail-> b")
    run.fail("a", "Declined", "no money", code=51, context={"card": "x"})
    assert run.input_of("b") == {
        "type": "Declined",
        "message": "no money",
        "code": 51,
        "attempt": 1,
        "maxAttempts": 1,
        "context": {"card": "x"},
        "fatal": False,
    }


def test_an_entry_node_gets_the_instance_s_input_and_a_mapping_what_it_says() -> None:
    run = run_of(
        "a -> b", {"n": 3}, a={"input": {"twice": "${ input.n * 2 }", "w": "${ workflow.id }"}}, b={"input": [1, "k"]}
    )
    assert run.input_of("a") == {"twice": 6, "w": "w"}
    run.finish("a")
    assert run.input_of("b") == [1, "k"]
    assert run_of("a", {"n": 3}).input_of("a") == {"n": 3}


def test_a_mapping_sees_nodes_variables_and_nothing_else() -> None:
    seen = {"out": "${ nodes.a.output }", "st": "${ nodes.c.status }", "v": "${ variables.k }", "no": "${ error }"}
    run = run_of("a -> b; c -fail-> d -> b", b={"input": seen})
    run.finish("a", [1], variables=b'{"k":9}')
    run.finish("c")
    assert run.input_of("b") == {"out": [1], "st": "completed", "v": 9, "no": None}


def test_a_mapping_that_raises_fails_the_node_without_a_retry() -> None:
    run = run_of("a -fail-> b", a={"input": "${ 1 / 0 * input.n }", "retry": {}})
    assert run.state("a").error.type == "MappingError"
    assert run.state("a").attempt == 0
    assert run.nodes == {"a": "failed", "b": "running"}


def test_a_port_that_nobody_has() -> None:
    run = run_of("a -@yes-> b; a -@no-> c; a -fail-> d")
    run.finish("a", 1, port="maybe", variables=b'{"k":9}')
    error = run.state("a").error
    assert error.type == "UnknownPort"
    assert "it has: no, yes" in error.message
    assert run.nodes == {"a": "failed", "b": "skipped", "c": "skipped", "d": "running"}
    assert run.instance.variables == b"{}", "a failed attempt sets nothing"


def test_trigger_and_log_pass_their_input_through_in_the_same_turn() -> None:
    run = Run(graph("t -> l -> a", t={"type": "trigger"}, l={"type": "log"}))
    turn = run.start({"n": 1})
    assert names(turn) == ["InstanceStarted", *["NodeStarted", "NodeCompleted"] * 2, "NodeStarted"]
    assert run.input_of("a") == {"n": 1}


# --- the output of the whole


@pytest.mark.parametrize(
    ("text", "output"),
    [("a", 1), ("a -> b", 2), ("a; b", {"a": 1, "b": 2}), ("a; b -fail-> c", {"a": 1}), ("a -[false]-> b", None)],
)
def test_output_of_the_leaves(text: str, output: Any) -> None:
    run = run_of(text)
    for path, value in (("a", 1), ("b", 2)):
        if run.nodes.get(path) == "running":
            run.finish(path, value)
    assert (run.status, run.output) == ("completed", output)


def test_output_mapping() -> None:
    run = run_of(
        "a; b -fail-> c", workflow={"output": {"got": "${ nodes.a.output.n + 1 }", "not": "${ nodes.c.output }"}}
    )
    run.finish("a", {"n": 1})
    run.finish("b")
    assert run.output == {"got": 2, "not": None}


@pytest.mark.parametrize("mapping", ["${ 1 / nodes.a.output }", ["${ nodes.a.output }", "\ud800"]])
def test_an_output_mapping_that_raises_fails_the_instance(mapping: Any) -> None:
    run = run_of("a", workflow={"output": mapping})
    run.finish("a", 0)
    assert run.status == "failed"
    assert run.instance.reason.startswith("the output mapping failed: ")
    assert run.output == 0, "what there is of it"


def test_a_mapping_sees_the_error_that_its_node_is_there_for() -> None:
    mapped = {"input": {"why": "${ error.type }", "text": "${ error.message }"}}
    run = run_of("a -fail-> b; c -all-> b", None, b=mapped | {"join": {"kind": "all"}})
    run.finish("c")
    run.fail("a", "Broken", "no luck")
    assert run.input_of("b") == {"why": "Broken", "text": "no luck"}
    run = run_of("a -> b", None, b=mapped)
    run.finish("a")
    assert run.input_of("b") == {"why": None, "text": None}
