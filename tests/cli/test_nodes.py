"""A3: `mainspring nodes`: the kinds of node, the tasks, each with an example that is right."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import mainspring as ms
from mainspring.cli.node_kinds import BY_NAME, GROUPS, KINDS
from mainspring.cli.nodes import _written, command
from mainspring.definition.vocabulary import node_type, node_types
from mainspring.graph.support import RUNNABLE_TYPES
from mainspring.tasks.annotations import parameters_of
from mainspring.tasks.checking import FUNCTION_KEYS
from mainspring.tasks.script import SCRIPT_KEYS
from tests.cli.shell import Shell

JOBS = """
import mainspring as ms
from dataclasses import dataclass

@dataclass
class Line:
    sku: str

@ms.task
async def refund(ctx: ms.TaskContext, order_id: str, amount: float = 0.0, *, lines: list[Line] | None = None) -> dict:
    '''Give money back.

    All of it where no amount is given.
    '''

@ms.task(name="crunch it", process=True)
def crunch(n): ...

def plain(x): ...
"""


def test_every_kind_stands_there_once() -> None:
    assert sorted(kind.name for kind in KINDS) == sorted(node_types)
    assert {kind.group for kind in KINDS} == set(GROUPS)
    for kind in KINDS:
        assert all(node_type(other) == kind.name for other in kind.also)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_example_is_a_right_definition(kind: object) -> None:
    """Each loads as it is printed, uses the keys that it is said to have, and no other; a cancel needs nodes beside it."""
    known = BY_NAME[kind.name]  # type: ignore[attr-defined]
    definition = ms.loads(f"id: example\nnodes:\n{known.example}")
    assert not definition.warnings
    own = [node for node in definition.workflow.nodes if node.type == known.name]
    assert own and (known.name in ("cancel", "milestone") or len(own) == len(definition.workflow.nodes))
    assert all(set(node.config) <= set(known.config) for node in own)


def test_the_keys_of_tasks_are_all_there() -> None:
    assert set(BY_NAME["function"].config) == set(FUNCTION_KEYS)
    assert set(BY_NAME["script"].config) == {key for key in SCRIPT_KEYS if "_" not in key}


def test_the_list_says_what_runs(shell: Shell) -> None:
    done = shell("nodes")
    assert done.returncode == 0, done.stderr
    for kind in KINDS:
        mark = "✓" if kind.name in RUNNABLE_TYPES else "·"
        assert f"  {mark} {kind.name} " in done.stdout
    assert "not run by this version yet" in done.stdout and "Tasks" not in done.stdout
    assert "\x1b" not in done.stdout


def test_one_in_detail_by_any_of_its_names(shell: Shell) -> None:
    done = shell("nodes", "sendEmail")
    assert done.returncode == 0 and done.stdout.startswith("email  (not run by this version yet)")
    assert "to       an address" in done.stdout and "also written sendEmail, mail" in done.stdout
    assert "  - id: tell\n    type: email\n" in done.stdout


def test_the_tasks_of_a_module(shell: Shell) -> None:
    shell.write("jobs2.py", JOBS)
    done = shell("nodes", "--import", "jobs2")
    assert done.returncode == 0, done.stderr
    signature = "refund(order_id: str, amount: float = 0.0, *, lines: list[jobs2.Line] | None = None) -> dict  async"
    assert f"  {signature}\n      Give money back.\n" in done.stdout
    assert "  crunch it(n)  a process of its own\n" in done.stdout
    assert "plain" not in done.stdout


def test_a_tasks_example_runs(shell: Shell) -> None:
    shell.write("jobs2.py", JOBS)
    done = shell("nodes", "--import", "jobs2", "refund")
    assert "All of it where no amount is given." in done.stdout
    example = done.stdout.split("Example\n")[1]
    (shell.folder / "w.yaml").write_text(f"id: w\nnodes:\n{example}")
    ran = shell("run", "w.yaml", "--input", '{"order_id": "o", "amount": 1, "lines": null}')
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_json(shell: Shell) -> None:
    shell.write("jobs2.py", JOBS)
    told = json.loads(shell("nodes", "--json", "--import", "jobs2").stdout)
    assert {each["kind"]: each["runs"] for each in told["kinds"]} == {
        name: name in RUNNABLE_TYPES for name in node_types
    }
    crunch, refund = told["tasks"]
    assert (crunch["name"], crunch["runs"]) == ("crunch it", "a process of its own")
    assert refund["reference"] == "jobs2:refund" and refund["takesContext"] is True
    assert refund["parameters"][0] == {"name": "order_id", "type": "str", "required": True}
    one = json.loads(shell("nodes", "delay", "--json").stdout)
    assert one["kind"] == "delay" and "duration" in one["config"]


def test_an_unknown_one_says_what_was_meant() -> None:
    done = CliRunner().invoke(command, ["scirpt"])
    assert done.exit_code == 2 and "did you mean `script`?" in done.output
    done = CliRunner().invoke(command, ["charge_card"])
    assert done.exit_code == 2 and "give --import MODULE" in done.output


def test_signatures_are_written_as_python_has_them() -> None:
    def one(a, /, b, *, c=1): ...  # type: ignore[no-untyped-def]

    def other(*a, b: int = 2, **c): ...  # type: ignore[no-untyped-def]

    assert _written(parameters_of(one)) == ["a", "/", "b", "*", "c=1"]
    assert _written(parameters_of(other)) == ["*a", "b: int = 2", "**c"]
