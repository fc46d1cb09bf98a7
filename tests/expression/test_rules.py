"""SEMANTICS G, rule by rule."""

from collections import UserDict
from typing import Any

import pytest

from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, truthy

scope: dict[str, Any] = {
    "input": {"a": [1, "two", {"b": 3}], "n": 7, "text": "12", "word": "abc", "flag": True, "none": None, "big": 2**63},
    "output": {"rows": 2, "status": "ok"},
    "nodes": {"charge": {"output": {"id": 9}}, "raise-alarm": {"output": 5}},
    "variables": UserDict({"x": UserDict({"y": 1})}),
}

values = [
    # 36: null on any missing path; null equals null only, and has no order
    ("input.nothing.at.all", None),
    ("error.message", None),
    ("input.n.x[3].y", None),
    ("input.a[9]", None),
    ("input.a.x", None),
    ("input.nothing == null", True),
    ("null != 0", True),
    ("null == false", False),
    ("null < 1 || null >= 1 || null <= null", False),
    # 36: strings and numbers
    ('"12" == 12', True),
    ("input.text > 3", True),
    ('"1e2" == 100', True),
    ('"012" == 12', False),
    ('"abc" == 1', False),
    ('" 1" == 1', False),
    ('"10" < "9"', True),
    ("1 == 1.0", True),
    # 36: booleans never equal numbers
    ("true == 1", False),
    ("false == 0", False),
    ('true == "true"', False),
    ("[1, [true]] == [1.0, [true]]", True),
    ("[1] == [true]", False),
    # 37: truthiness
    ("!null && !false && !0 && ![] && !''", True),
    ('!!"false"', True),
    ("!input.none", True),
    ("1 && 'x'", True),
    ("0 || ''", False),
    # 37: arithmetic
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("7 / 2", 3.5),
    ("6 / 2", 3),
    ("-7 % 3", -1),
    ("7.5 % 2", 1.5),
    ("'a' + \"b\"", "ab"),
    ("- -3", 3),
    ("-9223372036854775808", -(2**63)),
    ("10 - 3 - 2", 5),
    # 37: spellings
    ("1 === 1 && 1 !== 2", True),
    ("$.a[0]", 1),
    ("$.a[2].b == input.a[2].b", True),
    ("$['n']", 7),
    # paths
    ('nodes["raise-alarm"].output', 5),
    ("nodes.charge.output.id", 9),
    ("input.a[input.a[0]]", "two"),
    ("input['a'][1 + 1]['b']", 3),
    ("variables.x.y", 1),
    ("input.a[-1]", None),
    ("[1, 2, 3][1]", 2),
    # in, ternary, lists
    ("output.status in ['ok', 'fine']", True),
    ("1 in ['1']", True),
    ("'n' in input", True),
    ("'b' in input.word", True),
    ("1 in input.nothing", False),
    ("output.rows > 1 ? 'many' : 'few'", "many"),
    ("0 ? 1 : 0 ? 2 : 3", 3),
    ("[output.rows, [null]]", [2, [None]]),
    ("[]", []),
    # literals
    (r"'it\'s \u00e9 \n'", "it's é \n"),
    (r'"\ud83d\ude00"', "😀"),
    ("1.5e3", 1500.0),
    # functions
    ("len(input.a) + len('xy') + len(null)", 5),
    ("upper('a') + lower('B')", "Ab"),
    ("contains(input.a, 'two') && contains('abc', 'b')", True),
    ("startsWith(input.word, 'a') && endsWith(input.word, 'c')", True),
    ("max(1, 5, 3) - min([4, 2])", 3),
    ("abs(-3) + round(2.5) + floor(1.9) + ceil(0.1)", 8),
    ("round(1.256, 2)", 1.26),
    ("round(-2.5)", -3),
    ("round(2.675, 2)", 2.68),
    ("round(0.125, 2)", 0.13),
    ("round(-1.005, 2)", -1.01),
    ("round(0.49999999999999994)", 0),
    ("round(-0.04, 1)", 0.0),
    ("round(1e300)", None),
    ("round(1e300, 2)", 1e300),
    ("round(4503599627370495.5)", 4503599627370496),
    ("round(123456789012.3456789, 15)", 123456789012.34568),
    ("round(1.5, 16)", None),
    ("round(1.5, -1)", None),
    ("round(1.5, true)", None),
    ("string([1, null]) + string(1.5) + string(null)", "[1,null]1.5"),
    ("number('12') + number(1)", 13),
    ("number('x')", None),
    ("number('1e999')", None),
    ("number('9223372036854775808')", None),
    ("number(true)", None),
    ("min([])", None),
    ("max(null, null)", None),
    ("min(true)", None),
    ("sum(null)", None),
    ("keys([1])", None),
    ("values('a')", None),
    ("len(5)", None),
    ("indexOf(5, 5)", -1),
    ("indexOf('abc', 'c')", 2),
    ("trim(' a\\n')", "a"),
    ("default(null)", None),
    ("boolean('')", False),
    ("values(nodes.charge)", [{"id": 9}]),
    ("string(1e16)", "1e16"),
    ("string(true)", "true"),
    ("has(input.n) && !has(input.none)", True),
    ("default(input.none, 4)", 4),
    ("lower(5)", None),
    ("sum([1, 2])", 3),
    ("keys(nodes)", ["charge", "raise-alarm"]),
    ("type(input.a)", "list"),
    ("[type(null), type(true), type(1.5), type('a'), type(input)]", ["null", "boolean", "number", "string", "object"]),
    ("$", {"a": [1, "two", {"b": 3}], "n": 7, "text": "12", "word": "abc", "flag": True, "none": None, "big": 2**63}),
    ("input.a[0.0]", 1),
    ("input.a[0.5]", None),
    ("input.a[true]", None),
    ("input[null]", None),
    ("'abc'[0]", None),
    ("!input.n == false", True),
    ("-2 * -3 - -1", 7),
    ("1 - 2 - 3 == -4 && 12 / 3 / 2 == 2", True),
    ("(1 + 1 == 2) == true", True),
    ("true ? false ? 1 : 2 : 3", 2),
    ("false && 1 / 0", False),
    ("true || 1 / 0", True),
    ("true ? 1 : 1 / 0", 1),
    ("indexOf(input.a, 'two')", 1),
    ("abs(input.big)", None),
]


@pytest.mark.parametrize(("text", "expected"), values)
def test_value(text: str, expected: Any) -> None:
    value = compile_expression(text)(scope)
    assert value == expected
    assert type(value) is type(expected)


faults_at_run = [
    ("1 / 0", "division by zero", 2),
    ("5 % 0", "division by zero", 2),
    ("9223372036854775807 + 1", "64 bits", 20),
    ("1e308 * 10", "finite", 6),
    ("'a' + 1", "needs two numbers or two strings", 4),
    ("1 - null", "needs two numbers", 2),
    ("-'a'", "needs a number", 0),
    ("output.status < 3", "cannot order the string 'ok'", 14),
    ("true < 2", "cannot order", 5),
    ("[1] > [0]", "cannot order", 4),
    ("1 in 5", "needs a list", 2),
    ("1 in 'a1'", "`in` a string needs a string", 2),
    ("1 + input.none", "needs two numbers", 2),
    ("1 && 2 < 'x'", "cannot order", 7),
    ("input.big + 1", "64 bits", 10),
    ("-(-9223372036854775808)", "64 bits", 0),
]


@pytest.mark.parametrize(("text", "message", "position"), faults_at_run)
def test_fault_at_run_time_points_at_its_operator(text: str, message: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)(scope)
    assert message in caught.value.message
    assert (caught.value.text, caught.value.position) == (text, position)


faults_at_compile = [
    ("", "empty", 0),
    ("outptu.a", "did you mean `output`?", 0),
    ("nodes.raise-alarm", 'nodes["raise-alarm"]', 12),
    ("lenn(1)", "did you mean `len`?", 0),
    ("len()", "takes 1 argument", 0),
    ("1 +", "ends where a value is expected", 3),
    ("1 = 1", "did you mean `==`?", 2),
    ("true and false", "did you mean `&&`?", 5),
    ("1 < 2 < 3", "cannot be chained", 6),
    ("(1", "close the `(` at 1", 2),
    ("[1 2]", "close the `[`", 3),
    ("'abc", "never closed", 0),
    (r"'a\q'", "unknown escape", 2),
    (r"'\ud800'", "surrogate", 0),
    ("12abc", "is not a number", 0),
    ("007", "is not a number", 0),
    ("9223372036854775808", "64 bits", 0),
    ("99999999999999999999", "64 bits", 0),
    ("1e999", "too large", 0),
    ("input.", "a name after `.`", 6),
    ("input.__class__ @", "unexpected character", 16),
    ("1 ? 2", "close the `?`", 5),
    ("x" * 10_001, "expression_length_max", 0),
    ("(" * 101 + "1" + ")" * 101, "depth_max", 100),
    ("!" * 101 + "1", "depth_max", 100),
    ("[" + "1," * 2_001 + "1]", "nodes_max", None),
]


@pytest.mark.parametrize(("text", "message", "position"), faults_at_compile)
def test_fault_at_compile_time_points_at_its_token(text: str, message: str, position: int | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert message in caught.value.message
    assert position is None or caught.value.position == position


def test_what_an_expression_knows_of_itself() -> None:
    expression = compile_expression("$.a > 1 && nodes.charge.output == nodes['x-y']")
    assert expression.roots == {"input", "nodes"}
    assert expression.references == (("charge", 17), ("x-y", 40))
    assert compile_expression("1 + 1") is compile_expression("1 + 1")


def test_no_way_to_attributes() -> None:
    assert compile_expression("input.word.__class__")(scope) is None
    assert compile_expression("input['__class__'].get")(scope) is None


def test_strings_are_bounded() -> None:
    large = {"input": "x" * 600_000}
    with pytest.raises(ExpressionError, match="text_length_max"):
        compile_expression("input + input")(large)


def test_long_chains_are_no_depth() -> None:
    assert compile_expression(" + ".join(["1"] * 900))({}) == 900
    assert compile_expression(" && ".join(["true"] * 900))({}) is True
    assert compile_expression("input" + ".a" * 900)({}) is None


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}, UserDict()])
def test_false(value: Any) -> None:
    assert not truthy(value)


@pytest.mark.parametrize("value", [True, 1, -1.5, "false", [0], {"a": None}, object()])
def test_true(value: Any) -> None:
    assert truthy(value)
