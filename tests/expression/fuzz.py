"""Expressions by the million: `python -m tests.expression.fuzz --count 1000000 --seed 1 --processes 2`.

Four kinds in turn: random tokens, valid expressions that were damaged, templates, and valid expressions whose value is
compared with that of the naive interpreter. Whatever the text, an expression has a value or ends in an ExpressionError
with a place inside its text, within `case_seconds_max` of processor time. A failure prints the seed of its case.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from mainspring.errors import ExpressionError
from mainspring.expression import Expression, compile_template
from mainspring.expression.functions import functions
from tests.expression import naive, written

case_seconds_max = 0.25

OPERATORS = "&& || ! == != === !== < <= > >= + - * / % in ? : . , ( ) [ ] $ { } ${ $${ ' \" \\ @ # = & | ~ ; `"
WORDS = "true false null and or not None undefined foo input output variables nodes error workflow item loop __class__"
NUMBERS = "0 1 2.5 007 1e999 1e308 1. .5 0x10 9223372036854775807 9223372036854775808"
PIECES = [
    *OPERATORS.split(" "),
    *WORDS.split(" "),
    *NUMBERS.split(" "),
    *(f"{name}(" for name in functions),
    *("input.a", "output.x[0]", "nodes['b']", "'a'", '"12"', "[1,2]", "é", "\u0000", "\ud800", "\u202e"),
    *("'\\u0041'", "'\\ud83d'"),
]


def soup(chance: random.Random) -> str:
    glue = chance.choice(("", " "))
    return glue.join(chance.choice(PIECES) for _ in range(chance.randrange(1, 14)))


def damaged(chance: random.Random) -> str:
    """A valid expression with a few pieces taken out, put in, doubled or moved."""
    text = written.text(chance, written.tree(chance))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        to = min(len(text), at + chance.randrange(6))
        middle = chance.choice(("", chance.choice(PIECES), text[at:to] * 2, text[at:to][::-1]))
        text = text[:at] + middle + text[to:]
    return text


def same(one: Any, other: Any) -> bool:
    """Equal with equal types: 1 is neither 1.0 nor true."""
    return json.dumps(one) == json.dumps(other)


def refused_well(error: ExpressionError, text: str) -> None:
    assert error.message, "a refusal without a word"
    assert error.position is None or 0 <= error.position <= len(error.text), f"the place {error.position} is outside"
    assert error.position is None or error.text in text or len(error.text) <= len(text)
    caret = error.caret()
    assert error.position is None or (caret.count("\n") == 1 and caret.endswith("^"))


def any_text(text: str, scope: dict[str, Any]) -> str:
    try:
        json.dumps(Expression(text)(scope))
    except ExpressionError as error:
        refused_well(error, text)
        return "refused"
    return "valued"


def any_template(chance: random.Random, scope: dict[str, Any]) -> str:
    text = "".join(
        chance.choice(("a", " ", "$", "$${", "}", f"${{{written.text(chance, written.tree(chance))}}}"))
        for _ in range(4)
    )
    try:
        compile_template({"k": [text, chance.choice((1, text))]})(scope)
    except ExpressionError as error:
        refused_well(error, text)
        assert error.path == "k[0]", error.path
        return "refused"
    return "valued"


def valid(chance: random.Random, scope: dict[str, Any]) -> str:
    tree = written.tree(chance)
    text = written.text(chance, tree)
    expression = Expression(text)
    try:
        expected: Any = (naive.value_of(tree, scope),)
    except naive.Fault:
        expected = None
    try:
        got: Any = (expression(scope),)
    except ExpressionError as error:
        refused_well(error, text)
        assert expected is None, f"`{text}` is {expected} in the naive interpreter, but: {error.message}"
        return "refused alike"
    assert expected is not None and same(got, expected), (
        f"`{text}` is {got}, in the naive interpreter {expected}; {scope}"
    )
    return "equal"


def case(seed: str) -> tuple[str, str, float]:
    """One case: its kind, how it ended, and its processor time."""
    chance = random.Random(seed)
    scope = written.scope(chance)
    before = repr(scope)
    kind = chance.choice(("tokens", "tokens", "damaged", "damaged", "template", "valid", "valid", "valid"))
    text = soup(chance) if kind == "tokens" else damaged(chance) if kind == "damaged" else ""
    began = time.process_time()
    if kind == "valid":
        end = valid(chance, scope)
    else:
        end = any_template(chance, scope) if kind == "template" else any_text(text, scope)
    took = time.process_time() - began
    assert repr(scope) == before, "it has changed what it looked at, which others look at too"
    return kind, end, took


def run(seed: int, first: int, count: int) -> tuple[Counter[str], float, list[str]]:
    """Cases `first` to `first + count`: how they ended, the longest time of one, the failures."""
    ends: Counter[str] = Counter()
    longest, failures = 0.0, []
    for number in range(first, first + count):
        name = f"{seed}/{number}"
        try:
            kind, end, seconds = case(name)
            ends[f"{kind}: {end}"] += 1
            if seconds > case_seconds_max:
                # Once more: the machine's pauses do not come twice at one place, a slow expression does.
                seconds = case(name)[2]
            longest = max(longest, seconds)
            if seconds > case_seconds_max:
                failures.append(f"case {name} took {seconds:.2f} s; case_seconds_max is {case_seconds_max}")
        except Exception as error:
            failures.append(f"case {name}: {type(error).__name__}: {error}")
    return ends, longest, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    began = time.perf_counter()
    chunk = 5_000
    firsts = range(0, options.count, chunk)
    ends: Counter[str] = Counter()
    longest, failures = 0.0, []
    with ProcessPoolExecutor(options.processes) as pool:
        sizes = [min(chunk, options.count - first) for first in firsts]
        for some, slowest, failed in pool.map(run, [options.seed] * len(sizes), firsts, sizes):
            ends += some
            longest = max(longest, slowest)
            failures += failed
    for end, count in sorted(ends.items()):
        print(f"{count:>9,}  {end}")
    print(f"{sum(ends.values()):>9,}  in {time.perf_counter() - began:.0f} s; the longest took {longest * 1000:.1f} ms")
    print("\n".join(failures[:20]) or "no failure")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
