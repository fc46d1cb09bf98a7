"""N1: Python written into the definition."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

import mainspring as ms
from mainspring.definition.model import Node
from mainspring.errors import DefinitionError, HandlerNotFound
from mainspring.messaging.task import TaskCall
from mainspring.tasks import inline
from mainspring.tasks.binding import MissingParameter
from mainspring.tasks.fault import describe
from mainspring.tasks.function import FunctionKind
from mainspring.tasks.inline import CodeFault, compiled, shadowed
from mainspring.tasks.mismatch import InputMismatch

NewCall = Callable[..., TaskCall]


@pytest.fixture
def kind() -> Iterator[FunctionKind]:
    made = FunctionKind(threads_max=2, processes_max=1)
    yield made
    made.close()


def prepare(kind: FunctionKind, code: str, **config: Any) -> Any:
    return kind.prepare(Node(id="n", type="function", config={"code": code, **config}), ".")


@pytest.mark.parametrize(
    ("code", "payload", "output"),
    [
        ("return {'total': price * quantity}", {"price": 2, "quantity": 3, "more": 1}, {"total": 6}),
        ("return price * 2", 4, 8),
        ("return input", [1, 2], [1, 2]),
        ("return input['id']", {"id": 7}, 7),
        ("amount = amount * 2\nreturn amount", {"amount": 4}, 8),
        ("amount += 1\nfor x in range(3):\n    amount += x\nreturn amount", {"amount": 4}, 8),
        ("x: int = x + 1\nreturn x", {"x": 1}, 2),
        ("return (y := x) + y", {"x": 2}, 4),
        ("return [i for i in items if i > least]", {"items": [1, 2, 3], "least": 1}, [2, 3]),
        ("items = [i * 2 for i in items]\nreturn items", {"items": [1]}, [2]),
        ("def f(a):\n    return a * k\nreturn f(2)", {"k": 3}, 6),
        ("return (lambda a: a + k)(1)", {"k": 3}, 4),
        ("class A:\n    y = z\n    def g(self):\n        return w\nreturn [A().g(), A.y]", {"z": 3, "w": 1}, [1, 3]),
        ("match input:\n    case {'a': q}:\n        return q", {"a": 1}, 1),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    return str(error)", {}, "division by zero"),
        ("import math as m\nreturn m.floor(x)", {"x": 1.5}, 1),
        ("with open(path) as file:\n    return len(file.read())", {"path": "/dev/null"}, 0),
        ("global seen\nseen = x\nreturn seen", {"x": 1}, 1),
        ("x, *rest = values\nreturn rest", {"values": [1, 2]}, [2]),
        ("del x\nreturn 1", {"x": 1}, 1),
        ("x = 1", {"x": 2}, None),
        ("# nothing", {}, None),
        ("async def main(a: int, b: str = 'x'):\n    return [a, b]", {"a": 1}, [1, "x"]),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Line:\n    price: float\n    count: int = 1\n"
            "RATE = 2\ndef main(line: Line):\n    return line.price * line.count * RATE",
            {"price": 1.5},
            3.0,
        ),
    ],
)
async def test_code_and_its_names(code: str, payload: Any, output: Any, kind: FunctionKind, new_call: NewCall) -> None:
    assert await prepare(kind, code).invoke(new_call(payload)) == output


async def test_the_context_and_waiting(kind: FunctionKind, new_call: NewCall) -> None:
    call = new_call({"ctx": 5, "x": 1}, {"seen": 1})
    code = """
import asyncio
ctx.progress(50, "half")
variables["seen"] = variables["seen"] + x
await asyncio.sleep(0)
return [ctx.attempt, input["ctx"]]
"""
    assert await prepare(kind, code).invoke(call) == [1, 5]
    assert call.variables_set == {"seen": 2}
    assert list(call.report.__self__) == [(50.0, "half")]  # type: ignore[attr-defined]


async def test_what_the_input_has_not_is_named(kind: FunctionKind, new_call: NewCall) -> None:
    with pytest.raises(MissingParameter, match="the code needs `price`, and the input has `cost`"):
        await prepare(kind, "return price * 2").invoke(new_call({"cost": 2}))
    with pytest.raises(InputMismatch, match=r"input\.a: expected int, got str"):
        await prepare(kind, "def main(a: int, b=1):\n    return a").invoke(new_call({"a": "1"}))


async def test_builtins_stay_what_they_are(kind: FunctionKind, new_call: NewCall) -> None:
    """A key called like one hides nothing, whatever the input has."""
    assert await prepare(kind, "return max(values)").invoke(new_call({"values": [1, 2], "max": 5})) == 2
    assert shadowed("return id + input['type'] + price", ("id", "type", "price")) == ["id"]
    assert shadowed("def main(id):\n    return id", ("id",)) == []


async def test_an_error_has_the_line_within_the_code(kind: FunctionKind, new_call: NewCall) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await prepare(kind, "a = 1\n\nreturn a / zero").invoke(new_call({"zero": 0}))
    stack = describe(raised.value).stack or ""
    assert "line 3, in main" in stack and "return a / zero" in stack and "tasks/inline.py" not in stack


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ("a = 1\nb = )", 2, "unmatched"),
        ("return 1 +", 1, "invalid syntax"),
        ("x = 1\n  y = 2", 2, "unexpected indent"),
        ("if x:\npass", 2, "expected an indented block"),
        ("break", 1, "outside loop"),
        ("x = 1\nnonlocal x", 2, "nonlocal"),
        ("from __future__ import annotations\nreturn 1", 1, "__future__"),
        ("a = 1\n1 / 0\ndef main():\n    pass", 2, "ZeroDivisionError"),
        ("yield 1", None, "the code yields"),
        ("x = '\0'", None, "null"),
        ("def main():\n    pass\nmain = 5", None, "`main` is no function"),
        ("(" * 5_000, None, "too many nested|memory|recursion"),
        ("x = 1\n" * 100_000, None, "code_bytes_max, 262144"),
    ],
)
def test_code_that_cannot_be_compiled(code: str, line: int | None, said: str, kind: FunctionKind) -> None:
    with pytest.raises(CodeFault, match=f"(?i){said}") as raised:
        compiled(code)
    if line is not None:
        assert raised.value.line == line and f"line {line} of the code" in str(raised.value)
    with pytest.raises(DefinitionError, match="node `n`"):
        prepare(kind, code)
    assert not [name for name, module in sys.modules.items() if name.startswith("mainspring_code") and module is None]


def test_a_module_that_is_not_here_is_missing_code(kind: FunctionKind) -> None:
    with pytest.raises(HandlerNotFound, match="No module named 'nowhere_at_all'"):
        prepare(kind, "import nowhere_at_all\ndef main():\n    pass")


def test_handler_and_code_are_two_answers(kind: FunctionKind) -> None:
    with pytest.raises(DefinitionError, match="either `handler` or `code`"):
        prepare(kind, "return 1", handler="os:getpid")


def test_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "return compiled_once"
    first = compiled(code)
    monkeypatch.setattr(inline, "_load", None)
    assert compiled(code) is first


async def test_in_a_process(kind: FunctionKind, new_call: NewCall) -> None:
    call = new_call({"price": 2}, {"a": 1})
    code = "import os\nvariables['pid'] = os.getpid()\nctx.progress(10)\nreturn price * 2"
    output = await prepare(kind, code, process=True).invoke(call)
    assert msgspec.json.decode(output.value) == 4
    assert call.variables_set and msgspec.json.decode(call.variables_set["pid"]) not in (None, 0)
    assert list(call.report.__self__) == [(10.0, "")]  # type: ignore[attr-defined]


def test_in_a_file_under_its_spellings() -> None:
    """D2: functionCode is the code of a function node."""
    text = """
        id: inline
        nodes:
          - {id: a, type: function, functionCode: "return {'n': n + 1}"}
          - id: b
            type: function
            config:
              code: |
                async def main(n: int) -> dict:
                    return {"n": n * 2}
            dependsOn: [a]
    """
    done = ms.run(ms.loads(text), input={"n": 1})
    assert done.status == "completed" and done.nodes["b"].output == {"n": 4}
