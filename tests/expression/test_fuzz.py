"""R2: whatever the text, an expression has a value or is refused by an ExpressionError, in bounded time.

The long form is `python -m tests.expression.fuzz`; see there.
"""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.errors import ExpressionError
from mainspring.expression import Expression, compile_template, steps
from tests.expression import fuzz, written

scope = {"input": {"a": [1, "x", None, {"b": 2.5}]}, "output": {"x": [True]}, "nodes": {"b": 10**30}, "index": 3}


def attempt(text: str) -> None:
    try:
        Expression(text)(scope)
    except ExpressionError as error:
        fuzz.refused_well(error, text)


def test_the_short_form_of_the_fuzzer() -> None:
    ends, longest, failures = fuzz.run(seed=20_261, first=0, count=6_000)
    assert not failures
    assert longest < fuzz.case_seconds_max
    # It is worth nothing if one of its kinds has come to nothing.
    assert ends["valid: equal"] > 800 and ends["damaged: valued"] > 50 and ends["template: valued"] > 200


@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False))
def test_r2_valid_expressions_mean_what_the_naive_interpreter_says(chance: random.Random) -> None:
    fuzz.valid(chance, written.scope(chance))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    attempt(text)
    try:
        compile_template(["${" + text, text])(scope)
    except ExpressionError as error:
        assert error.position is None or 0 <= error.position <= len(error.text)


@pytest.mark.timed
def test_r2_hostile_texts_are_refused_in_no_time() -> None:
    began = time.process_time()
    for unit in ("(", "[", "!", "-", "1?", "1+", "a.", "input[", "len(", "'", "\\", "&&", "$", "'\\", "1?1:", "- -"):
        attempt((unit * 10_000)[:10_000])
        attempt((unit * 10_000)[:9_000] + "1")
    assert time.process_time() - began < 3


@pytest.mark.timed
def test_r2_one_evaluation_within_its_steps_takes_bounded_time() -> None:
    large = list(range(450_000))
    began = time.process_time()
    with pytest.raises(ExpressionError, match="steps_max, 1000000 steps"):
        Expression(" && ".join(["sum(input)"] * 300))({"input": large})
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("part", "glue"),
    [
        ("input == output", " && "),
        ("-1 in input", " || "),
        ("sum(input) - sum(output)", " + "),
        ("min(input)", " || "),
        ("max(input)", " && "),
        ("indexOf(input, -1)", " && "),
        ("indexOf(variables, 'y')", " && "),
        ("len(keys(nodes))", " && "),
        ("len(values(nodes))", " && "),
        ("contains(variables, 'y')", " || "),
        ("contains(input, 'y')", " || "),
        ("'y' in variables", " || "),
        ("has(number(variables))", " || "),
        ("upper(variables)", " && "),
        ("lower(variables)", " && "),
        ("trim(variables)", " && "),
        ("string([input, nodes])", " && "),
        ("[input, output]", " && "),
        ("[variables]", " && "),
        ("[[nodes]]", " && "),
        ("nodes == error", " && "),
    ],
)
def test_r2_repeated_work_on_large_data_ends_at_steps_max(
    part: str, glue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "steps_max", 20_000)
    large, fields = list(range(1_000)), {f"k{number}": number for number in range(1_000)}
    data = {
        "input": large, "output": list(large), "variables": "x" * 64_000, "nodes": fields, "error": dict(fields)
    }  # fmt: skip
    few, many = Expression(glue.join([part] * 5)), Expression(glue.join([part] * 200))
    few(data)
    with pytest.raises(ExpressionError, match="steps_max"):
        many(data)
    few(data)  # each evaluation has its own


def test_what_one_evaluation_used_is_not_missing_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "steps_max", 100)
    assert Expression("sum(input) == 99")({"input": [1] * 99})
    constant = Expression("input == [1, 2, 3]")  # not metered: it is bounded by what is written
    assert all(constant({"input": [1, 2, 3]}) for _ in range(50))
