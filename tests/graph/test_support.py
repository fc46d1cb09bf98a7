"""What this version does not do is said: refused where it would be run as something else, warned of where it is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mainspring.cli.main import group
from mainspring.graph.check import loads
from mainspring.graph.support import not_enforced, unsupported

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
        ("warning", ("maxConcurrency",)),
        ("warning", ("retryBudget",)),
        ("warning", ("triggers",)),
        ("warning", ("nodes", 0, "priority")),
        ("warning", ("nodes", 0, "maxConcurrentExecutions")),
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("failurePolicy: partial_success", "the failure policy partial_success"),
        ("checkpoint: {policy: count, count: 3}", "the checkpoint policy count"),
    ],
)
def test_what_would_be_run_as_something_else_is_refused(line: str, what: str) -> None:
    found = unsupported(loads(f"id: w\n{line}\nnodes: [{{id: a, type: log}}]").workflow)
    assert [one.severity for one in found] == ["error"]
    assert what in found[0].message


def test_run_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.yaml").write_text(DOCUMENT)
    done = CliRunner().invoke(group, ["run", "wide.yaml", "--quiet"])
    assert done.exit_code == 0
    assert "wide.yaml:3:" in done.stderr
    assert "maxConcurrency is not enforced by this version" in done.stderr
