"""N8: nodes of custom kinds run as functions do: awaited, in threads, in processes; again, or kept; held to their config."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.tasks.kinds_kit import own_kinds

import mainspring as ms
from mainspring.engine.result import InstanceResult
from mainspring.graph import custom_kinds
from mainspring.testing.running import run

__all__ = ["own_kinds"]


class Config(Struct):
    factor: int = 2


class Product(Struct):
    value: int


def workflow(*nodes: dict[str, Any], **more: Any) -> ms.Workflow:
    return ms.Workflow("w", nodes=[{"type": "t.work", **node} for node in nodes], **more)


def one(config: Any = None, **node: Any) -> ms.Workflow:
    return workflow({"id": "n", "config": {} if config is None else config, **node})


def error_of(result: InstanceResult) -> str:
    found = result.nodes["n"].error
    assert found is not None, result
    return f"{found.type}: {found.message}"


def test_what_it_gets() -> None:
    @ms.node_kind("t.work")
    async def work(config: Config, ctx: Any, input: Any) -> Any:
        return [input, config.factor, ctx.attempt, ctx.idempotency_key.endswith("/n/1"), type(config) is Config]

    assert run(one({"factor": 3}, input={"a": 1})).output == [{"a": 1}, 3, 1, True, True]
    assert run(one(), input=7).output == [7, 2, 1, True, True]


def test_a_plain_function_runs_in_a_thread() -> None:
    @ms.node_kind("t.work")
    def work() -> bool:
        return threading.current_thread() is not threading.main_thread()

    assert run(one()).output is True


def test_templates_see_what_mappings_see_and_the_nodes_own_input() -> None:
    @ms.node_kind("t.work", config={"type": "object"})
    async def work(config: Any) -> Any:
        return config

    made = workflow(
        {"id": "before", "config": {"a": "${ input.x + 1 }"}},
        {
            "id": "n",
            "config": {"own": "${ value.y }", "node": "${ nodes.before.output.a }", "v": "at ${ variables.v }"},
            "input": {"y": "${ input.x * 10 }"},
            "dependsOn": ["before"],
        },
        variables={"v": 5},
    )
    assert run(made, input={"x": 1}).output == {"own": 10, "node": 2, "v": "at 5"}


def test_a_config_that_is_not_what_the_kind_takes_fails_the_node_once() -> None:
    calls = []

    @ms.node_kind("t.work", config=Config)
    async def work() -> None:
        calls.append(1)

    retry = {"strategy": "fixed", "maxAttempts": 3, "initialDelay": 1}
    result = run(one({"factor": "${ input.f }"}, retry=retry), input={"f": "three"})
    assert error_of(result) == 'ConfigInvalid: config.factor: "three" is not of type "integer"'
    assert (result.nodes["n"].attempts, calls) == (1, [])
    assert run(one({"factor": "${ input.f }"}, retry=retry), input={"f": 3}).status == "completed"


def test_a_template_that_cannot_be_computed_fails_the_node() -> None:
    @ms.node_kind("t.work", config=Config)
    async def work() -> None: ...

    result = run(one({"factor": "${ 1 / input.f }"}), input={"f": 0})
    assert error_of(result).startswith("MappingError: the config failed at `factor`: ")


def test_a_config_is_computed_for_each_attempt_and_a_new_object_for_each() -> None:
    seen = []

    @ms.node_kind("t.work", config={"type": "object"})
    async def work(config: Any, context: Any) -> None:
        seen.append(config.copy())
        config["attempts"] = "spoilt"
        if context.attempt < 3:
            raise ValueError("again")

    retry = {"strategy": "fixed", "maxAttempts": 3, "initialDelay": 1}
    run(one({"attempts": "${ nodes.n.attempts }", "a": [1]}, retry=retry))
    assert seen == [{"attempts": count, "a": [1]} for count in (0, 1, 2)]


def test_an_input_that_is_not_what_the_function_takes() -> None:
    @ms.node_kind("t.work")
    async def work(input: Product) -> Any:
        return input.value

    assert error_of(run(one(), input={"value": "x"})) == "InputMismatch: input.value: expected int, got str"
    assert run(one(), input={"value": 4}).output == 4


def test_an_output_that_is_not_what_the_function_says() -> None:
    @ms.node_kind("t.work")
    async def work() -> Product:
        return {"valu": 3}  # type: ignore[return-value]

    assert error_of(run(one())) == "OutputMismatch: output: `value` is missing"


def ports(port: str | None) -> InstanceResult:
    @ms.node_kind("t.work", ports=("left", "right"))
    async def work() -> Any:
        return ms.Output(1, port=port)

    made = workflow(
        {"id": "n"}, {"id": "l", "type": "log"}, {"id": "p", "type": "log"},
        connections=[{"source": "n", "target": "l", "sourcePort": "left"}, {"source": "n", "target": "p"}],
    )  # fmt: skip
    return run(made)


@pytest.mark.parametrize(("port", "ran"), [("left", ["l"]), (None, ["p"]), ("right", [])])
def test_it_leaves_by_the_ports_that_it_declares_connected_or_not(port: str | None, ran: list[str]) -> None:
    result = ports(port)
    assert result.status == "completed"
    assert [name for name in "lp" if result.nodes[name].status == "completed"] == ran
    assert result.nodes["n"].port == port


def test_a_port_that_is_not_declared_fails_the_node() -> None:
    assert (
        error_of(ports("up"))
        == "UnknownPort: left by port 'up', which t.work does not declare (it declares: left, right)"
    )


def test_within_a_body() -> None:
    @ms.node_kind("t.work")
    async def work(input: int, config: Config) -> int:
        return input * config.factor

    inner = {"id": "n", "type": "t.work", "config": {"factor": "${ loop.index + 1 }"}, "input": "${ loop.item }"}
    each = {"id": "each", "type": "forEach", "config": {"items": [5, 6, 7], "body": {"nodes": [inner]}}}
    assert run(ms.Workflow("w", nodes=[each])).output == [5, 12, 21]
    inner["config"] = {"fctor": 1}
    with pytest.raises(ms.DefinitionError, match="did you mean `factor`"):
        ms.Workflow("w", nodes=[each])


def test_a_timeout_ends_an_attempt() -> None:
    @ms.node_kind("t.work")
    async def work() -> None:
        await asyncio.sleep(3600)

    assert error_of(run(one(timeout=50))).startswith("NodeTimeout")


async def test_a_result_is_used_again_where_input_and_config_are_the_same() -> None:
    calls = []

    @ms.node_kind("t.work", config=Config)
    async def work(input: int, config: Config) -> int:
        calls.append((input, config.factor))
        return input * config.factor

    made = one({"factor": "${ variables.f }"}, cache=True)
    async with ms.Engine() as engine:
        for value, factor in ((1, 2), (1, 2), (1, 3), (2, 3)):
            started = await engine.start(made, input=value, variables={"f": factor})
            assert (await started.result()).output == value * factor
    assert calls == [(1, 2), (1, 3), (2, 3)]


PLUGIN = """
import os
import mainspring as ms
from msgspec import Struct

class Config(Struct):
    factor: int

class Product(Struct):
    value: int

@ms.node_kind("t.process", process=True, ports=("odd",))
def work(input: int, config: Config, context: ms.TaskContext) -> Product:
    context.variables["pid"] = os.getpid()
    if input % 2:
        return ms.Output(input, port="odd" if input < 9 else "even")
    return Product(input * config.factor)
"""


async def test_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module is found by import, whatever file of that name lies beside the definition."""
    import os

    site, home = tmp_path / "site", tmp_path / "home"
    for folder, text in ((site, PLUGIN), (home, "raise RuntimeError('not this one')")):
        folder.mkdir()
        (folder / "t_process_kinds.py").write_text(text)
    monkeypatch.syspath_prepend(site)
    __import__("t_process_kinds")
    made = ms.Workflow(
        "w",
        folder=str(home),
        nodes=[{"id": "n", "type": "t.process", "config": {"factor": "${ variables.f }"}}],
        variables={"f": 5},
        output=["${ nodes.n.output }", "${ nodes.n.port }", "${ variables.pid }"],
    )
    async with ms.Engine() as engine:
        results = [await (await engine.start(made, input=value)).result() for value in (4, 7, 9)]
        value, port, pid = results[0].output
        assert (value, port) == ({"value": 20}, None) and pid not in (None, os.getpid())
        assert results[1].output[:2] == [7, "odd"]
        assert error_of(results[2]).startswith("UnknownPort: left by port 'even'")
        wrong = await (await engine.start(made, input=4, variables={"f": "x"})).result()
        assert error_of(wrong) == 'ConfigInvalid: config.factor: "x" is not of type "integer"'


async def test_a_node_waits_for_its_kind(tmp_path: Path) -> None:
    """An instance of a process that knew the kind goes on in one that does not yet."""

    @ms.node_kind("t.work", config=Config)
    async def work(config: Config) -> int:
        return config.factor

    kind = custom_kinds._declared.pop("t.work")
    async with ms.Engine(f"sqlite:///{tmp_path}/store.db") as engine:
        custom_kinds.declare(kind)
        made = one({"factor": "${ input.f }"}).workflow
        del custom_kinds._declared["t.work"]
        started = await engine.start(ms.Definition(made), input={"f": 6})
        await engine.idle()
        waiting = (await started.state()).nodes["n"]
        assert waiting.status == "waiting"
        assert waiting.waits_for.startswith("handler no node kind 't.work' is known here")
        custom_kinds.declare(kind)
        engine.host.deeds.look_for_code()
        result = await asyncio.wait_for(started.result(), 10)
    assert (result.output, result.nodes["n"].attempts) == (6, 1)
