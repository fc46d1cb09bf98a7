"""What this version does not do is said: refused where it would be run as something else, warned of where it is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mainspring.cli.main import group
from mainspring.graph.check import load, loads
from mainspring.graph.support import not_enforced, unsupported

BLOCKS = Path(__file__).parents[1] / "definition" / "files" / "blocks.yaml"

DOCUMENT = """
id: wide
maxConcurrency: 3
retryBudget: 5
triggers: [{type: timer, config: {cron: "0 1 * * *"}}]
nodes:
  - {id: a, type: log, maxConcurrentExecutions: 2, priority: high}
"""


def test_what_is_not_enforced_is_named_with_its_place() -> None:
    found = not_enforced(loads(DOCUMENT).workflow)
    assert [(one.severity, one.pointer) for one in found] == [
        ("warning", ("triggers",)),
        ("warning", ("nodes", 0, "priority")),
        ("warning", ("nodes", 0, "maxConcurrentExecutions")),
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("nodes: [{id: b, type: http, config: {url: x}}]", "the type http"),
    ],
)
def test_what_would_be_run_as_something_else_is_refused(line: str, what: str) -> None:
    found = unsupported(loads(f"id: w\n{line}\n").workflow)
    assert [one.severity for one in found] == ["error"]
    assert what in found[0].message


def test_run_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.yaml").write_text(DOCUMENT)
    done = CliRunner().invoke(group, ["run", "wide.yaml", "--quiet"])
    assert done.exit_code == 0
    assert "wide.yaml:5:" in done.stderr
    assert "(triggers) is not enforced by this version" in done.stderr


def test_what_is_in_a_body_is_looked_at_too() -> None:
    inner = "{id: x, type: http, circuitBreaker: {}, compensationNodeId: undo}, {id: undo, type: log}"
    text = f"id: w\nnodes: [{{id: m, type: mutex, config: {{name: l}}, body: [{{id: n, type: subflow, body: [{inner}]}}]}}]"
    workflow = loads(text).workflow
    at = ("nodes", 0, "config", "body", "nodes", 0, "config", "body", "nodes", 0)
    assert [one.pointer for one in unsupported(workflow)] == [(*at, "type")]
    assert [one.pointer for one in not_enforced(workflow)] == []


def test_a_limit_of_what_does_no_work_is_told() -> None:
    inner = "{id: x, type: if, config: {condition: 'true'}, pool: gpu, adaptive: true}"
    found = not_enforced(
        loads(f"id: w\nnodes: [{{id: m, type: mutex, config: {{name: l}}, body: [{inner}]}}]").workflow
    )
    assert [one.pointer[-1] for one in found] == ["pool", "adaptive"]
    assert "nodes of type if do no work" in found[0].message


def test_limits_of_work_are_enforced() -> None:
    limits = "maxConcurrentExecutions: 2, priority: high, rateLimit: 5, resources: {cpu: 1}, pool: gpu, adaptive: true"
    text = f"id: w\nmaxConcurrency: 3\nquotas: {{cpu: 4}}\nnodes: [{{id: a, handler: 'm:f', {limits}}}]"
    assert not_enforced(loads(text).workflow) == []


def test_blocks_and_waits_are_run() -> None:
    assert unsupported(load(BLOCKS).workflow) == []
