"""Typed inputs and outputs (issue 3): JSON Schemas are enforced, at the start, before and after a node, at the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import Connection, Retry, Workflow
from mainspring.journal.store import Store
from tests.engine.conftest import node, workflow

RAN: list[Any] = []

ORDER = {
    "type": "object",
    "required": ["items"],
    "properties": {"items": {"type": "array", "items": {"properties": {"price": {"type": "number", "minimum": 0}}}}},
}
NUMBER = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "maximum": 10}}}


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


@ms.task(name="ts_give")
async def give(value: Any = None) -> Any:
    """Gives what it is given."""
    RAN.append(value)
    return value


@ms.task(name="ts_improve")
async def improve(ctx: ms.TaskContext) -> dict[str, Any]:
    """Gives what it should at its third attempt."""
    RAN.append(ctx.attempt)
    ctx.variables["tried"] = ctx.attempt
    return {"n": 100 // ctx.attempt**2 - 2}


@ms.task(name="ts_port")
async def leave() -> ms.Output:
    """Leaves by a port with a value that is not allowed."""
    return ms.Output({"n": 99}, port="p")


async def run(store: Store, made: Workflow, input: Any = None) -> ms.InstanceResult:
    """Run one workflow to its end."""
    async with ms.Engine(store) as engine:
        return await asyncio.wait_for((await engine.start(made, input=input)).result(), 10)


async def names(engine: ms.Engine, result: ms.InstanceResult, path: str) -> list[str]:
    """The names of a node's events."""
    handle = await engine.get(result.id)
    return [one.name async for one in handle.events() if getattr(one.event, "path", None) == path]


# --- the workflow's input -------------------------------------------------------------------------------------------


async def test_an_input_that_does_not_match_is_refused_before_anything_is_journaled(store: Store) -> None:
    made = workflow(node("a", "ts_give"), input_schema=ORDER)
    async with ms.Engine(store) as engine:
        with pytest.raises(ms.InputInvalid) as caught:
            await engine.start(made, input={"items": [{"price": 1}, {}, {"price": -1}, {"price": "x"}]}, key="k")
        assert sorted(caught.value.faults) == [
            "input.items[2].price: -1 is less than the minimum of 0",
            'input.items[3].price: "x" is not of type "number"',
        ]
        assert str(caught.value).startswith("the input does not match the workflow's inputSchema\n")
        with pytest.raises(ms.InputInvalid, match='"items" is a required property'):
            await engine.start(made)
        assert await engine.instances() == []
        result = await (await engine.start(made, input={"items": []}, key="k")).result()
        assert result.status == "completed"


def test_the_one_liner_refuses_it_too() -> None:
    with pytest.raises(ms.InputInvalid):
        ms.run(workflow(node("a", "ts_give"), input_schema=ORDER), input={"items": 3})
    assert RAN == []


# --- the workflow's output ------------------------------------------------------------------------------------------


async def test_an_output_that_does_not_match_fails_the_instance_and_is_kept(store: Store) -> None:
    made = workflow(node("a", "ts_give"), output={"n": "${ nodes.a.output }"}, output_schema=NUMBER)
    result = await run(store, made, {"value": 11})
    assert (result.status, result.output) == ("failed", {"n": 11})
    assert result.reason == "the output does not match outputSchema: output.n: 11 is greater than the maximum of 10"
    assert result.nodes["a"].status == "completed"
    assert (await run(store, made, {"value": 10})).status == "completed"


async def test_the_output_of_an_instance_that_failed_anyway_is_not_checked(store: Store) -> None:
    made = workflow(node("a", "ts_give", input_schema=NUMBER), output_schema=NUMBER)
    result = await run(store, made, {})
    assert (result.status, result.reason) == ("failed", "1 unhandled failure")


# --- a node's input -------------------------------------------------------------------------------------------------

THRICE = Retry(strategy="fixed", max_attempts=3, initial_delay=0, jitter=0)


async def test_a_node_whose_input_does_not_match_fails_without_a_task_and_is_not_retried(store: Store) -> None:
    a = node("a", "ts_give", input={"value": "${ input.v }"}, input_schema={"required": ["x"]}, retry=THRICE)
    async with ms.Engine(store) as engine:
        result = await (await engine.start(workflow(a), input={"v": 1})).result()
        assert result.status == "failed"
        error = result.errors["a"]
        assert (error.type, error.message) == ("InputInvalid", 'input: "x" is a required property')
        assert (error.attempt, error.fatal, result.nodes["a"].attempts) == (0, True, 0)
        assert await names(engine, result, "a") == ["InputMapped", "NodeFailed"]
    assert RAN == []


async def test_its_failure_is_handled_like_any_other(store: Store) -> None:
    made = workflow(
        node("a", "ts_give", input_schema=NUMBER),
        node("b", "ts_give", input={"value": "${ nodes.a.error.type }"}),
        connections=(Connection(source="a", target="b", trigger="fail"),),
    )
    result = await run(store, made, {"n": 11})
    assert (result.status, result.output) == ("completed", "InputInvalid")


async def test_a_default_input_of_several_sources_is_checked_whole(store: Store) -> None:
    joined = {"properties": {"x": {"type": "string"}}}
    made = workflow(
        node("x", "ts_give", input={"value": 1}),
        node("y", "ts_give", input={"value": 2}),
        node("z", None, "x", "y", type="log", input_schema=joined),
    )
    result = await run(store, made)
    assert result.errors["z"].message == 'input.x: 1 is not of type "string"'


@pytest.mark.parametrize(("type", "config"), [("log", {}), ("trigger", {}), ("delay", {"duration": 1})])
async def test_nodes_that_the_machine_runs_itself_are_checked_too(
    store: Store, type: str, config: dict[str, Any]
) -> None:
    before = workflow(node("a", type=type, config=config, input_schema=NUMBER))
    assert (await run(store, before, {"n": 3})).output == {"n": 3}
    assert (await run(store, before, {"n": 11})).errors["a"].type == "InputInvalid"
    after = workflow(node("a", type=type, config=config, output_schema=NUMBER))
    assert (await run(store, after, {"n": 3})).output == {"n": 3}
    result = await run(store, after, {"n": 11})
    assert result.errors["a"].message == "output.n: 11 is greater than the maximum of 10"


# --- a node's output ------------------------------------------------------------------------------------------------


async def test_an_output_that_does_not_match_fails_the_node_and_is_not_retried(store: Store) -> None:
    made = workflow(node("a", "ts_improve", output_schema=NUMBER, retry=THRICE))
    result = await run(store, made)
    error = result.errors["a"]
    assert (error.type, error.fatal, error.attempt) == ("OutputInvalid", True, 1)
    assert error.message == "output.n: 98 is greater than the maximum of 10"
    assert (RAN, result.variables) == ([1], {})


async def test_it_is_retried_where_retry_on_names_it(store: Store) -> None:
    named = Retry(strategy="fixed", max_attempts=5, initial_delay=0, jitter=0, retry_on=("OutputInvalid",))
    result = await run(store, workflow(node("a", "ts_improve", output_schema=NUMBER, retry=named)))
    assert (result.status, result.output, RAN) == ("completed", {"n": 9}, [1, 2, 3])
    assert result.variables == {"tried": 3}


async def test_what_leaves_by_a_port_is_checked_too(store: Store) -> None:
    made = workflow(
        node("a", "ts_port", output_schema=NUMBER),
        node("b", "ts_give"),
        connections=(Connection(source="a", target="b", source_port="p"),),
    )
    result = await run(store, made)
    assert (result.errors["a"].type, result.nodes["b"].status) == ("OutputInvalid", "skipped")


async def test_the_failure_itself_is_in_the_journal(store: Store) -> None:
    made = workflow(node("a", "ts_give", output_schema={"type": "string"}))
    async with ms.Engine(store) as engine:
        run = await engine.start(made, input={"value": 1})
        first = await run.result()
        again = await engine.inspect(run.id)
    assert first.status == again.status == "failed"
    assert again.errors["a"].message == 'output: 1 is not of type "string"'
    assert RAN == [1]


async def test_a_broken_schema_made_in_python_is_refused_before_it_runs(store: Store) -> None:
    async with ms.Engine(store) as engine:
        with pytest.raises(ms.DefinitionError, match="MS240"):
            await engine.start(workflow(node("a", "ts_give", input_schema={"type": "strin"})))
