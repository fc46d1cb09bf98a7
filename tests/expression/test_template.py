from typing import Any

import pytest

from mainspring.errors import ExpressionError
from mainspring.expression import compile_template

scope = {"input": {"a": [1], "name": "Ada", "none": None, "x": 1.5}}

values: list[tuple[Any, Any]] = [
    ("${ input.a }", [1]),
    ("${input.none}", None),
    ("hello ${ input.name }!", "hello Ada!"),
    ("${ input.none }|${ input.a }|${ input.x }|${ true }", "|[1]|1.5|true"),
    (" ${ input.a }", " [1]"),
    ("$${ input.a }", "${ input.a }"),
    ("a $${ b ${ 1 + 1 }", "a ${ b 2"),
    ("${ '}' + \"}\" }", "}}"),
    ("$5 {x}", "$5 {x}"),
    ({"k": ["${ input.name }", 3, {"n": None}]}, {"k": ["Ada", 3, {"n": None}]}),
    (None, None),
]


@pytest.mark.parametrize(("template", "expected"), values)
def test_value(template: Any, expected: Any) -> None:
    assert compile_template(template)(scope) == expected


def test_what_is_constant() -> None:
    assert compile_template({"a": [1, "$${x}"]}).constant
    template = compile_template(["${ input.a }", "${ nodes.b }"])
    assert (template.constant, template.roots, template.references) == (False, {"input", "nodes"}, ("b",))


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("ab ${ inptu.x }", "did you mean `input`?", 6),
        ("x ${ 1", "never closed", 2),
        ("${ 'a }", "never closed", 0),
        ("${}", "empty", 2),
    ],
)
def test_faults(text: str, message: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template({"a": [text]})
    assert message in caught.value.message
    assert (caught.value.text, caught.value.position) == (text, position)


def test_depth_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="template_depth_max"):
        compile_template(deep)
