"""R2: docs/reference/expressions.md is true: its examples give what it says, and it names every function and bound."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, compile_template, parser, steps, template, tokens, values
from mainspring.expression.functions import functions

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "expressions.md").read_text("utf-8")
DATA = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[0])


def rows() -> list[tuple[str, list[str]]]:
    """All rows of all tables, each with the first cell of its table's head."""
    found: list[tuple[str, list[str]]] = []
    head = ""
    lines = DOCUMENT.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|"):
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not lines[number - 1].startswith("|"):
            head = cells[0]
        elif not line.startswith("|---"):
            found.append((head, cells))
    return found


ROWS = rows()
EXAMPLES = [("expression", cells[0], cells[1]) for head, cells in ROWS if head == "expression"]
EXAMPLES += [("expression", cells[2], cells[3]) for head, cells in ROWS if head == "function"]
EXAMPLES += [("template", cells[0], cells[1]) for head, cells in ROWS if head == "template"]


def bare(cell: str) -> str:
    assert cell[0] == cell[-1] == "`"
    return cell[1:-1]


def computed(kind: str, text: str) -> Any:
    return compile_expression(text)(DATA) if kind == "expression" else compile_template(text)(DATA)


@pytest.mark.parametrize(("kind", "written", "expected"), EXAMPLES, ids=lambda cell: cell[:40])
def test_r2_every_example_gives_what_it_says(kind: str, written: str, expected: str) -> None:
    if expected.startswith("error: "):
        with pytest.raises(ExpressionError) as caught:
            computed(kind, bare(written))
        assert caught.value.message == expected.removeprefix("error: ")
    else:
        value = computed(kind, bare(written))
        assert json.dumps(value, ensure_ascii=False) == json.dumps(json.loads(bare(expected)), ensure_ascii=False)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 90


def test_every_function_is_documented_with_its_name_in_its_example() -> None:
    documented = {}
    for head, cells in ROWS:
        if head == "function":
            documented[cells[0].split("(")[0].strip("`")] = cells[2]
    assert sorted(documented) == sorted(functions)
    assert all(f"{name}(" in example for name, example in documented.items())


def test_every_root_is_documented() -> None:
    documented = {
        name for head, cells in ROWS if head == "name" for name in re.findall(r"`(\w+)", cells[0])
    }  # fmt: skip
    assert documented == parser.roots


def test_every_bound_is_documented_with_its_value() -> None:
    documented = {bare(cells[0]): int(cells[1].replace(",", "")) for head, cells in ROWS if head == "bound"}
    bounds = {
        name: value
        for module in (parser, steps, template, tokens, values)
        for name, value in vars(module).items()
        if name.endswith("_max") and name != "integer_max"
    }
    assert documented == bounds


def test_the_program_runs_and_prints_what_it_says() -> None:
    program = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "expressions.md", "exec"), {})
    said = "".join(line.removeprefix("# ") + "\n" for line in program.splitlines() if line.startswith("# "))
    assert printed.getvalue() == said
