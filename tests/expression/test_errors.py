"""R2: faults show their place: the line, a caret below it, and where in a mapping it is."""

from __future__ import annotations

import sys
import threading
from collections import UserDict
from typing import Any

import pytest

from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, compile_template, steps


def fault(text: str, scope: dict[str, Any] | None = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)(scope or {})
    return caught.value


def test_a_caret_below_the_fault() -> None:
    assert fault("input.a && inptu.b").caret() == "input.a && inptu.b\n           ^"
    assert fault("1 + 2 / 0").caret() == "1 + 2 / 0\n      ^"


def test_a_caret_at_the_end() -> None:
    assert fault("1 +").caret() == "1 +\n   ^"


def test_the_line_of_the_fault_alone() -> None:
    text = "input.a\n  && input.b = 1\n  && true"
    assert fault(text).caret() == "  && input.b = 1\n             ^"
    assert fault("1 +\n").caret() == "\n^"


def test_a_tab_takes_one_column() -> None:
    assert fault("\t1 = 1").caret() == " 1 = 1\n   ^"


@pytest.mark.parametrize("before", [0, 5, 200, 4_000])
@pytest.mark.parametrize("after", [0, 5, 200, 4_000])
def test_a_long_line_is_cut_around_the_fault(before: int, after: int) -> None:
    line, caret = fault(" " * before + "@" + "a" * after).caret(width=60).split("\n")
    assert len(line) <= 62
    assert line[len(caret) - 1] == "@"
    assert line.endswith("…") == (len(line) > 2 and before + after > 59 and after > 30)


def test_no_place_no_caret() -> None:
    assert ExpressionError("whatever").caret() == ""


def test_a_fault_in_a_mapping_says_in_which_field() -> None:
    template = compile_template({"a": ["${ 1 }", {"b": "x ${ input.n / 0 }"}], "c": "${ 1 / 0 }"})
    with pytest.raises(ExpressionError) as caught:
        template({"input": {"n": 1}})
    assert (caught.value.path, caught.value.text, caught.value.position) == ("a[1].b", " input.n / 0 ", 9)
    with pytest.raises(ExpressionError) as caught:
        compile_template({"a": ["${ 1 }", {"b": "x ${ inptu }"}]})
    assert (caught.value.path, caught.value.position) == ("a[1].b", 5)


def test_a_mixed_text_that_grows_too_long_says_in_which_field() -> None:
    template = compile_template({"a": "${ input }${ input }"})
    with pytest.raises(ExpressionError, match="text_length_max") as caught:
        template({"input": "x" * 600_000})
    assert caught.value.path == "a"


def test_a_caller_near_the_end_of_its_stack_gets_a_refusal_too() -> None:
    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        else:
            compile_expression("(" * 99 + "1" + ")" * 99)

    used = 0
    frame = sys._getframe()
    while frame is not None:
        used, frame = used + 1, frame.f_back  # type: ignore[assignment]
    with pytest.raises(ExpressionError, match="the stack that is left"):
        deep(sys.getrecursionlimit() - used - 60)


@pytest.mark.parametrize(
    ("text", "inside", "whole"),
    [
        ('input.a && "false"', [11], [11]),
        ('"no" || true', [0], [0]),
        ('!"true"', [1], [1]),
        ('"0" ? 1 : "false"', [0], [0]),
        ('"false"', [], [0]),
        ('input.a == "false"', [], []),
        ('"" || input.a', [], []),
        ('("x") && 1 && [\'y\'] && "z"', [0, 23], [0, 23]),
    ],
)
def test_g37_a_string_where_a_truth_is_wanted_warns(text: str, inside: list[int], whole: list[int]) -> None:
    """SEMANTICS 37: the string "false" is true: lint warns."""
    expression = compile_expression(text)
    assert [position for _, position in expression.warnings] == inside
    assert [position for _, position in expression.as_condition] == whole


def test_g37_the_warning_says_what_was_meant() -> None:
    ((message, _),) = compile_expression("'False'").as_condition
    assert message == "the string 'False' is true, as all but the empty one are; did you mean `false`, without quotes?"
    ((message, _),) = compile_expression("'yes'").as_condition
    assert message.endswith("empty one are")


def test_threads_do_not_share_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """An expression is compiled once for all; what one evaluation has used must not be missing to another."""
    monkeypatch.setattr(steps, "steps_max", 1_000)
    expression = compile_expression("max(input) > 0 && max(input) > 0")
    everybody = threading.Barrier(2, timeout=10)

    class Met(list[int]):
        """A list that waits, in the middle of its evaluation, until the other thread is as far."""

        def __iter__(self) -> Any:
            everybody.wait()
            return super().__iter__()

    faults: list[Exception] = []

    def evaluate() -> None:
        try:
            assert expression({"input": Met(range(400))}) is True
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=evaluate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_values_nested_too_deeply_are_refused() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    assert "nested deeper than 100" in fault("input == output", {"input": deep, "output": [*deep]}).message
    assert "too deeply to be written" in fault("string(input)", {"input": deep}).message


def test_what_cannot_be_written_as_text() -> None:
    assert "a list cannot be written as text" in fault("string(input)", {"input": [object()]}).message
    assert "text_length_max" in fault("string(input)", {"input": ["x" * 1_100_000]}).message
    assert compile_expression("string(input)")({"input": UserDict(a=UserDict(b=1))}) == '{"a":{"b":1}}'


def test_numbers_that_json_does_not_have_are_no_crash() -> None:
    scope = {"input": float("nan"), "output": float("inf"), "variables": [1e308, 1e308]}
    assert compile_expression("input < 1 || input >= 1 || input == input")(scope) is False
    assert compile_expression("[abs(input), round(output), sum(variables)]")(scope) == [None, None, None]
    assert compile_expression("sum(input)")({"input": [10**400, 0.5]}) is None
    assert "not a finite number" in fault("output % 2", scope).message
    assert "too large" in fault("input.a * 1.5", {"input": {"a": 10**400}}).message


def test_an_expression_shows_its_text() -> None:
    assert repr(compile_expression("1 + 1")) == "Expression('1 + 1')"
