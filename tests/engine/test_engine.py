"""The engine as its users see it, on each store that keeps things."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import Connection, Retry
from mainspring.journal.store import Store
from tests.engine.conftest import node, workflow

SEEN: list[tuple[str, int]] = []


@ms.task(name="t_double")
async def double(n: int) -> dict[str, int]:
    """Twice as much."""
    return {"n": 2 * n}


@ms.task(name="t_thread")
def in_thread(n: int) -> dict[str, Any]:
    """Says which thread it ran in."""
    return {"n": n, "thread": threading.current_thread() is not threading.main_thread()}


@ms.task(name="t_flaky")
async def flaky(ctx: ms.TaskContext) -> dict[str, int]:
    """Fails twice."""
    if ctx.attempt < 3:
        raise ConnectionError(f"attempt {ctx.attempt}")
    return {"attempt": ctx.attempt}


@ms.task(name="t_fail")
async def fail() -> None:
    """Fails always."""
    raise ValueError("no good")


@ms.task(name="t_block")
async def block() -> None:
    """Never ends by itself."""
    SEEN.append(("block", 1))
    await asyncio.Event().wait()


@ms.task(name="t_once")
async def once(ctx: ms.TaskContext) -> dict[str, str]:
    """Tells its idempotency key."""
    SEEN.append((ctx.idempotency_key, ctx.attempt))
    return {"key": ctx.idempotency_key}


@ms.task(name="t_large")
async def large(size: int) -> str:
    """A value of so many bytes."""
    return "x" * size


@ms.task(name="t_port")
async def port(n: int) -> ms.Output:
    """Leaves by a port."""
    return ms.Output({"n": n}, port="big" if n > 10 else "small")


@ms.task(name="t_set")
async def sets(ctx: ms.TaskContext) -> None:
    """Sets a variable."""
    ctx.variables["colour"] = "red"


@ms.task(name="t_tell")
async def tell(ctx: ms.TaskContext) -> Any:
    """Tells a variable."""
    return ctx.variables["colour"]


async def run(store: Store, *args: Any, input: Any = None, **more: Any) -> ms.InstanceResult:
    """Run one workflow to its end."""
    async with ms.Engine(store) as engine:
        started = await engine.start(workflow(*args, **more), input=input)
        return await asyncio.wait_for(started.result(), 10)


async def test_a_chain_hands_values_on(store: Store) -> None:
    result = await run(store, node("a", "t_double"), node("b", "t_thread", "a"), input={"n": 2})
    assert result.status == "completed"
    assert result.output == {"n": 4, "thread": True}
    assert result.nodes["a"].output == {"n": 4}


async def test_retries_then_success(store: Store) -> None:
    retry = Retry(strategy="fixed", max_attempts=3, initial_delay=1, jitter=0)
    result = await run(store, node("a", "t_flaky", retry=retry))
    assert (result.status, result.output) == ("completed", {"attempt": 3})


async def test_an_unhandled_failure_fails_the_instance_with_all_errors(store: Store) -> None:
    result = await run(store, node("a", "t_fail"), node("b", "t_double", "a"), node("c", "t_fail"))
    assert result.status == "failed"
    assert {path: error.type for path, error in result.errors.items()} == {"a": "ValueError", "c": "ValueError"}
    assert result.nodes["b"].status == "skipped"
    assert result.nodes["b"].reason == "a failed"


async def test_a_handled_failure_lets_the_instance_complete(store: Store) -> None:
    alarm = Connection(source="a", target="b", trigger="fail")
    result = await run(store, node("a", "t_fail"), node("b", type="log", config={}), connections=(alarm,))
    assert result.status == "completed"
    assert result.nodes["a"].handled
    assert result.output["message"] == "no good"


async def test_ports_and_conditions(store: Store) -> None:
    connections = (
        Connection(source="a", target="big", source_port="big"),
        Connection(source="a", target="small", source_port="small", condition="output.n == 3"),
    )
    nodes = (node("a", "t_port"), node("big", "t_double"), node("small", "t_double"))
    result = await run(store, *nodes, connections=connections, input={"n": 3})
    assert result.output == {"small": {"n": 6}}
    assert result.nodes["big"].reason == "a left by port small, not by port big"


async def test_a_port_that_nobody_has_fails_the_node(store: Store) -> None:
    result = await run(store, node("a", "t_port"), input={"n": 3})
    assert result.errors["a"].type == "UnknownPort"


async def test_variables_are_journaled(store: Store) -> None:
    result = await run(store, node("a", "t_set"), node("b", "t_tell", "a"))
    assert (result.output, result.variables) == ("red", {"colour": "red"})


async def test_a_node_timeout_fails_the_attempt(store: Store) -> None:
    result = await run(store, node("a", "t_block", timeout=20))
    assert result.errors["a"].type == "NodeTimeout"


async def test_a_workflow_timeout_ends_the_instance(store: Store) -> None:
    result = await run(store, node("a", "t_block"), node("b", "t_double", "a"), timeout=20)
    assert result.status == "failed"
    assert result.nodes["a"].status == "cancelled"
    assert result.nodes["b"].status == "skipped"


async def test_fail_fast_cancels_what_runs(store: Store) -> None:
    result = await run(store, node("a", "t_block"), node("b", "t_fail"), failure_policy="fail_fast")
    assert result.status == "failed"
    assert result.nodes["a"].status == "cancelled"


async def test_a_key_makes_starting_idempotent(store: Store) -> None:
    SEEN.clear()
    definition = workflow(node("a", "t_once"), id="keyed")
    async with ms.Engine(store) as engine:
        runs = await asyncio.gather(*[engine.start(definition, key="k") for _ in range(5)])
        results = [await one.result() for one in runs]
        again = await engine.start(definition, key="k")
        results.append(await again.result())
    assert {result.id for result in results} == {"keyed:k"}
    assert SEEN == [("keyed:k/a/1", 1)]


async def test_cancel(store: Store) -> None:
    SEEN.clear()
    async with ms.Engine(store) as engine:
        started = await engine.start(workflow(node("a", "t_block"), node("b", "t_double", "a")))
        await engine.host.writer.drained()
        await started.cancel("enough")
        result = await asyncio.wait_for(started.result(), 10)
        with pytest.raises(ms.CommandRefused):
            await started.cancel()
    assert result.status == "cancelled"
    assert result.nodes["a"].status == "cancelled"
    assert result.reason == "enough"


async def test_events_stream_to_the_end(store: Store) -> None:
    async with ms.Engine(store) as engine:
        started = await engine.start(workflow(node("a", "t_double"), node("b", "t_double", "a")), input={"n": 1})
        names = [one.name async for one in started.events()]
    assert names == [
        "InstanceStarted",
        "NodeStarted",
        "NodeCompleted",
        "NodeStarted",
        "NodeCompleted",
        "InstanceCompleted",
    ]


async def test_a_large_value_goes_to_a_blob_and_a_too_large_one_fails_its_node(store: Store) -> None:
    settings = ms.EngineSettings(payload_bytes_max=200_000)
    async with ms.Engine(store, settings=settings) as engine:
        fits = await (await engine.start(workflow(node("a", "t_large")), input={"size": 100_000})).result()
        over = await (await engine.start(workflow(node("a", "t_large")), input={"size": 300_000})).result()
        assert (await engine.inspect(fits.id)).output == "x" * 100_000
    assert over.errors["a"].type == "PayloadTooLarge"


async def test_what_a_task_gets_is_its_own(store: Store) -> None:
    """SEMANTICS 7: no task gets an object that another holds."""
    held: list[dict[str, Any]] = []

    @ms.task(name="t_spoil")
    async def spoil(**value: Any) -> dict[str, Any]:
        held.append(value)
        value["list"].append(1)
        return value

    nodes = (node("a", "t_spoil"), node("b", "t_spoil", "a"), node("c", "t_spoil", "a"))
    result = await run(store, *nodes, input={"list": []})
    assert result.output == {"b": {"list": [1, 1]}, "c": {"list": [1, 1]}}


async def test_an_unsupported_definition_is_refused_by_name(store: Store) -> None:
    async with ms.Engine(store) as engine:
        with pytest.raises(ms.DefinitionError, match="the type email of node a"):
            await engine.start(workflow(node("a", type="email")))


async def test_unknown_instances(store: Store) -> None:
    async with ms.Engine(store) as engine:
        for asked in (engine.get("nobody"), engine.inspect("nobody"), engine.cancel("nobody")):
            with pytest.raises(ms.UnknownInstance):
                await asked


async def test_callables_are_stored_by_reference(store: Store) -> None:
    async with ms.Engine(store) as engine:
        result = await (await engine.start(workflow(node("a", double)), input={"n": 4})).result()
        record = await engine.get(result.id)
        assert (await record.state()).output == {"n": 8}
        with pytest.raises(ms.HandlerNotFound, match="no reference leads back"):
            await engine.start(workflow(node("a", lambda n: n)))


async def test_a_definition_made_in_python_is_checked_whole(store: Store) -> None:
    broken = workflow(
        node("a", "t_once", "b"), node("b", "t_once", "a"), connections=(Connection(source="a", target="z"),)
    )
    async with ms.Engine(store) as engine:
        with pytest.raises(ms.DefinitionError) as refused:
            await engine.start(broken)
    assert {finding.code for finding in refused.value.findings} >= {"MS206", "MS209"}
