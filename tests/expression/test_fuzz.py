"""Whatever the text, an expression compiles, or is refused by an ExpressionError; so it is when it runs."""

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, compile_template

pieces = [
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "===",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "in",
    "?",
    ":",
    ".",
    ",",
    "(",
    ")",
    "[",
    "]",
    "$",
    "true",
    "false",
    "null",
    "0",
    "1",
    "2.5",
    "9223372036854775807",
    "1e308",
    "'a'",
    '"12"',
    "input",
    "input.a",
    "output.x[0]",
    "nodes['b']",
    "item",
    "index",
    "len(",
    "max(",
    "min(",
    "round(",
    "string(",
    "abs(",
    "contains(",
    "upper(",
    "sum(",
    "number(",
    "default(",
    "1e999",
    "007",
    "'",
    '"',
    "\\",
    "@",
    "#",
    "é",
    "${",
    "}",
    "[1,2]",
    "error",
    "variables",
]
scope = {
    "input": {"a": [1, "x", None, {"b": 2.5}]},
    "output": {"x": [True]},
    "nodes": {"b": 10**30},
    "item": "7",
    "index": 3,
}


def attempt(text: str) -> None:
    try:
        compile_expression.__wrapped__(text)(scope)
    except ExpressionError as error:
        assert error.position is None or 0 <= error.position <= len(text)


def test_random_sequences_of_tokens() -> None:
    chance = random.Random(7)
    for _ in range(6_000):
        attempt(chance.choice(("", " ")).join(chance.choice(pieces) for _ in range(chance.randrange(1, 14))))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    attempt(text)
    try:
        compile_template(["${" + text, text])(scope)
    except ExpressionError as error:
        assert error.position is None or 0 <= error.position <= len(error.text)


def test_hostile_texts_are_refused_in_no_time() -> None:
    began = time.perf_counter()
    for unit in ("(", "[", "!", "-", "1?", "1+", "a.", "input[", "len(", "'", "\\", "&&", "$", "'\\", "1?1:", "- -"):
        attempt((unit * 10_000)[:10_000])
        attempt((unit * 10_000)[:9_000] + "1")
    assert time.perf_counter() - began < 3
