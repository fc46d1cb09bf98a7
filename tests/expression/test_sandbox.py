"""R2: no way out. Names are looked up in data, never on Python objects, and nothing of a value's class is run."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, compile_template
from mainspring.expression.functions import functions


class Hostile:
    """An object that tells on whoever touches it."""

    secret = "secret"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"attribute {name} was read")

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("an item was read")

    def __call__(self, *arguments: Any) -> Any:
        raise AssertionError("it was called")

    def __iter__(self) -> Any:
        raise AssertionError("it was iterated")

    def __len__(self) -> int:
        raise AssertionError("its length was taken")

    def __bool__(self) -> bool:
        raise AssertionError("its truth was taken")

    def __str__(self) -> str:
        raise AssertionError("it was written")

    __repr__ = __str__


VALUES = {
    "number": 1,
    "text": "text",
    "list": [1],
    "object": {"a": 1},
    "none": None,
    "hostile": Hostile(),
    "function": len,
    "class": Hostile,
}
DUNDERS = (
    "__class__",
    "__dict__",
    "__init__",
    "__globals__",
    "__builtins__",
    "__import__",
    "__subclasses__",
    "mro",
    "gi_frame",
)


@pytest.mark.parametrize("name", DUNDERS)
@pytest.mark.parametrize("kind", ["number", "text", "list", "object", "none", "hostile", "function", "class"])
def test_r2_no_attribute_of_a_python_object_is_reachable(name: str, kind: str) -> None:
    value = VALUES[kind]
    for text in (
        f"input.{name}",
        f'input["{name}"]',
        f"input['__' + '{name[2:]}']",
        f"input.{name}.{name}[0]",
        f"$.{name}",
    ):
        assert compile_expression(text)({"input": value}) is None
    assert compile_template("${ input." + name + " }|")({"input": value}) == "|"


@pytest.mark.parametrize("name", DUNDERS)
def test_r2_such_names_are_ordinary_fields_of_data(name: str) -> None:
    assert compile_expression(f"input.{name}")({"input": {name: 7}}) == 7


@pytest.mark.parametrize("name", sorted(functions))
def test_r2_no_function_reaches_into_a_foreign_object(name: str) -> None:
    least = functions[name].least
    expression = compile_expression(f"{name}({', '.join(['input'] * least)})")
    try:
        value = expression({"input": Hostile()})
    except ExpressionError as error:
        assert "Hostile" in error.message
    else:
        assert value is None or type(value) in (bool, int, str, Hostile)


@pytest.mark.parametrize(
    "text",
    [
        "input == 1",
        "input == input",
        "input != output",
        "input in [1]",
        "!input",
        "input && 1",
        "input ? 1 : 2",
        "[input] == [1]",
    ],
)
def test_r2_no_operator_reaches_into_a_foreign_object(text: str) -> None:
    compile_expression(text)({"input": Hostile(), "output": Hostile()})


@pytest.mark.parametrize("text", ["input < 1", "input + 1", "-input", "1 in input", "input % 2"])
def test_r2_a_foreign_object_is_named_by_its_type_in_a_fault(text: str) -> None:
    with pytest.raises(ExpressionError, match="Hostile"):
        compile_expression(text)({"input": Hostile()})


@pytest.mark.parametrize(
    "text", ["input()", "input.a()", "input.__class__()", "(len)(1)", "lambda: 1", "[x for x in input]", "input = 1"]
)
def test_r2_nothing_can_be_called_or_assigned_but_the_functions(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)
