"""Handlers are checked against their inputs; code that is not found is a warning on validate, and an error on run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.findings import codes
from mainspring.errors import DefinitionError
from mainspring.tasks.checking import check_tasks, refuse_faulty_tasks


@dataclass
class Line:
    sku: str
    price: float


@dataclass
class Order:
    id: str
    lines: list[Line] = field(default_factory=list)


@ms.task(name="check-charge")
async def charge(order_id: str, amount: float, currency: str = "EUR") -> None: ...


@ms.task(name="check-ship")
async def ship(order: Order) -> None: ...


@ms.task(name="check-any")
async def anything(**request: Any) -> None: ...


@ms.task(name="check-both")
async def both(left: Any, right: Any) -> None: ...


@ms.task(name="check-sum")
async def sums(values: list[float]) -> None: ...


@ms.task(name="check-odd")
async def odd(things: list[Order | Line]) -> None: ...


def found(*nodes: dict[str, Any], connections: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, tuple[Any, ...]]]:
    definition = ms.Workflow("w", nodes=list(nodes), connections=list(connections))
    return [(one.code, one.pointer[2:]) for one, _ in check_tasks(definition.workflow, "").all]


def node(handler: str, input: Any = None, **more: Any) -> dict[str, Any]:
    config = {"handler": f"check-{handler}"} if "config" not in more else more.pop("config")
    return {"id": "n", "type": "function", "config": config, "input": input, **more}


COMPUTED = "${ input.x }"


@pytest.mark.parametrize(
    ("handler", "input", "expected"),
    [
        ("charge", {"order_id": COMPUTED, "amount": 3}, []),
        ("charge", {"order_id": "a", "amount": 3, "currency": COMPUTED}, []),
        ("charge", COMPUTED, []),
        ("charge", None, []),
        ("charge", {"order_id": "a"}, [("MS230", ("input",))]),
        ("charge", {}, [("MS230", ("input",)), ("MS230", ("input",))]),
        ("charge", {"order_id": "a", "amuont": 3}, [("MS230", ("input", "amuont"))]),
        ("charge", {"order_id": "a", "amount": 3, "note": 1}, [("MS231", ("input", "note"))]),
        ("charge", {"order_id": 17, "amount": 3}, [("MS232", ("input", "order_id"))]),
        ("charge", {"order_id": "a", "amount": "3"}, [("MS232", ("input", "amount"))]),
        ("charge", 5, [("MS230", ("input",))]),
        ("ship", {"id": "a", "lines": COMPUTED}, []),
        ("ship", {"order": {"id": "a"}}, []),
        ("ship", {"order": COMPUTED}, []),
        ("ship", {"lines": []}, [("MS230", ("input",))]),
        ("ship", {"id": "a", "linse": []}, [("MS231", ("input", "linse"))]),
        ("ship", {"id": 5, "lines": COMPUTED}, [("MS232", ("input", "id"))]),
        (
            "ship",
            {"id": "a", "lines": [{"sku": "x", "price": 1}, {"sku": "x", "price": "1"}]},
            [("MS232", ("input", "lines", 1, "price"))],
        ),
        ("ship", {"order": {"id": 5}}, [("MS232", ("input", "order", "id"))]),
        ("ship", [1], [("MS232", ("input",))]),
        ("any", {"whatever": 1}, []),
        ("sum", {"values": [1, "x"]}, [("MS232", ("input", "values", 1))]),
        ("sum", [1, "x"], [("MS232", ("input", 1))]),
        ("sum", [1, 2], []),
        ("odd", {"things": []}, [("MS238", ("config", "handler"))]),
        ("chrage", {}, [("MS902", ("config", "handler"))]),
    ],
)
def test_a_mapping_against_a_signature(handler: str, input: Any, expected: list[Any]) -> None:
    assert found(node(handler, input)) == expected


def test_every_code_of_these_can_be_found_and_is_explained() -> None:
    """The codes of tasks, each by what brings it about."""
    seen = {
        code
        for one in (
            *found(node("charge", {"order_id": "a"})),
            *found(node("charge", {"order_id": 5, "amount": 1, "note": 1})),
            *found(node("", {"id": 1}, config={"code": "return id"})),
            *found(node("", config={"code": "return )"})),
            *found(node("", config={"handler": lambda: 1, "process": True})),
            *found({"id": "s", "type": "script", "config": {"runtime": "csharp", "code": "1", "env": {"PATH": "/no"}}}),
            *found(node("", config={"code": "return 1", "proces": True})),
            *found(node("odd")),
        )
        for code in one[:1]
    }
    assert seen == {f"MS23{digit}" for digit in range(9)}
    for code in seen:
        assert len(codes[code].explanation) > 60


def test_a_join_hands_on_an_object_keyed_by_source() -> None:
    sources = [node("any", id="left"), node("any", id="right"), node("any", id="rite")]
    assert found(*sources[:2], node("both", id="n", depends_on=["left", "right"])) == []
    assert found(*sources[:2], node("ship", id="n", depends_on=["left", "right"])) == []
    assert found(*sources, node("both", id="n", depends_on=["left", "rite"])) == [("MS230", ())]
    assert found(*sources, node("both", id="n", depends_on=["left", "rite"], join="any")) == []
    assert found(*sources, node("both", id="n", depends_on=["left", "rite"], input={"left": 1, "right": 2})) == []
    assert found(sources[0], node("both", id="n", depends_on=["left"])) == []


def test_inline_code_sees_its_names_and_its_input() -> None:
    def code(text: str, **input: Any) -> list[Any]:
        return found(node("", input or None, config={"code": text}))

    assert code("return price * 2", price=1) == []
    assert code("return price * 2", prise=1) == [("MS230", ("input", "prise"))]
    assert code("return price * 2", price=1, other=2) == [("MS231", ("input", "other"))]
    assert code("return input['other']", other=2) == []
    assert code("return id", id=1) == [("MS233", ("input", "id"))]
    assert code("def main(price: int):\n    return 1", price="1") == [("MS232", ("input", "price"))]


def test_scripts_and_config() -> None:
    def script(**config: Any) -> list[Any]:
        return found({"id": "s", "type": "script", "config": config})

    assert script(runtime="bash", code="true", memory="256MB", colour="blue") == []
    assert script(runtime="bash", path="absent.sh") == [("MS902", ("config", "path"))]
    assert script(runtime="bash", code="true", memory="lots") == [("MS102", ("config", "memory"))]
    assert script(runtime="bash", code="true", memroy=5) == [("MS237", ("config", "memroy"))]
    assert script(path="job.ps1", env={"PATH": "/no"}) in (
        [("MS902", ("config", "path"))],
        [("MS236", ("config", "path"))],
    )


def test_nodes_within_nodes_are_checked_where_they_stand() -> None:
    loop = {
        "id": "loop",
        "type": "forEach",
        "config": {"items": "${ input.x }", "body": {"nodes": [node("charge", {"order_id": "a"})]}},
    }
    assert found(loop) == [("MS230", ("config", "body", "nodes", 0, "input"))]


def lost(order_id: str) -> None: ...


def test_a_start_refuses_what_cannot_be_right() -> None:
    """Python-built workflows too: before anything is stored."""
    wf = ms.Workflow("w", nodes=[ms.Node("c", "function", config={"handler": charge}, input={"order_id": 1})])
    with pytest.raises(DefinitionError) as raised:
        ms.run(wf)
    assert [one.code for one in raised.value.findings] == ["MS230", "MS232"]
    assert "charge needs `amount`" in str(raised.value)


async def test_a_start_is_checked_once_and_missing_code_is_no_refusal() -> None:
    wf = ms.Workflow("w", nodes=[ms.Node("c", "function", config={"handler": "nowhere:x"}, input={"order_id": 1})])
    refuse_faulty_tasks(wf.workflow, "")
    async with ms.Engine() as engine:
        run = await engine.start(wf)
        await engine.idle()
        assert (await run.state()).nodes["c"].status == "waiting"
        assert list(engine._checked.values()) == [wf]  # type: ignore[attr-defined]
        await run.cancel()


def test_a_large_definition_is_checked_quickly() -> None:
    """References are looked up once, and a signature is read once."""
    calls: list[str] = []
    nodes = [node("charge", {"order_id": "a", "amount": index}, id=f"n{index}") for index in range(2_000)]
    definition = ms.Workflow("w", nodes=nodes)
    from mainspring.tasks import checking

    original: Callable[..., Any] = checking.function_at

    def counted(*args: Any) -> Any:
        calls.append("looked")
        return original(*args)

    checking.function_at = counted  # type: ignore[assignment]
    try:
        assert not check_tasks(definition.workflow, "").all
    finally:
        checking.function_at = original  # type: ignore[assignment]
    assert len(calls) == 1
