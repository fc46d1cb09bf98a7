"""What a failure leads to, as the command line tells it: with a resilience file and without, each decision with its rule."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import mainspring as ms
from tests import warm

EXAMPLE = Path(__file__).parents[2] / "examples" / "resilience"

STEPS = """
name: onboard-customer
failurePolicy: partial_success
maxPartialFailures: 2
steps:
  - id: create-account
    handler: tasks:create_account
    resilience: {failurePolicy: fail_fast, isCritical: true, maxRetries: 3, retryDelay: 200ms}
  - id: warm-cache
    handler: tasks:warm_cache
    dependsOn: [create-account]
    resilience: {failurePolicy: continue, isCritical: false, failureImpact: minor}
  - id: welcome-mail
    handler: tasks:send_mail
    dependsOn: [create-account]
    resilience:
      failurePolicy: graceful_degradation
      fallbackActions: [{type: "tasks:queue_mail"}, {type: "tasks:log_mail"}]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "e")
    monkeypatch.chdir(tmp_path / "e")
    monkeypatch.syspath_prepend(str(tmp_path / "e"))
    monkeypatch.delitem(sys.modules, "tasks", raising=False)
    return tmp_path / "e"


class Done(NamedTuple):
    """What a command gave."""

    exit_code: int
    stdout: str
    stderr: str


def run(*words: str) -> Done:
    """A command, as a process of its own."""
    done = subprocess.run([*warm.command(), *words], capture_output=True, text=True, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


def decisions(result: Done) -> dict[str, Any]:
    """The decisions of the failures, each with its rule."""
    told = json.loads(result.stdout)
    return {id: (node["decision"], node["rule"]) for id, node in told["nodes"].items() if "decision" in node}


def test_the_step_style_ends_in_part_and_says_so_in_words(here: Path) -> None:
    (here / "steps.yaml").write_text(STEPS)
    done = run("run", "steps.yaml", "--store", "sqlite:///s.db")
    assert done.exit_code == 3
    assert "continue: failurePolicy continue of node warm-cache" in done.stdout
    assert "tasks:log_mail stood in for welcome-mail" in done.stdout
    assert "onboard-customer succeeded in part" in done.stdout and "1 degraded" in done.stdout
    assert "warm-cache failed, which the failure policy lets stand" in done.stdout
    shown = run("show", "last", "--store", "sqlite:///s.db")
    assert "tasks:log_mail stood in for welcome-mail" in shown.stdout
    assert "health    0.71, degraded" in shown.stdout, "1 - (2 + 4 / 2) / 14"
    events = run("events", "last", "--store", "sqlite:///s.db")
    assert "decision=continue rule=failurePolicy continue of node warm-cache" in events.stdout
    assert "reason=fallbackActions of node welcome-mail" in events.stdout


def test_a_file_whose_policies_match_decides_otherwise(here: Path) -> None:
    alone = run("run", "signup.yaml", "--json", "--store", "memory:")
    assert alone.exit_code == 1
    default = ("continue", "continue, the default")
    assert decisions(alone) == {"warm-cache": default, "welcome-mail": default}
    ruled = run("run", "signup.yaml", "--resilience", "house-rules.yaml", "--json", "--store", "memory:")
    assert ruled.exit_code == 3
    assert decisions(ruled) == {"warm-cache": ("continue", "failurePolicy continue of policy probes (tag probes)")}
    told = json.loads(ruled.stdout)["health"]
    assert told["lost"] == ["warm-cache"] and len(told["recommendations"]) == 2
    mail = json.loads(ruled.stdout)["nodes"]["welcome-mail"]
    assert (mail["degraded"], mail["standIn"], mail["error"]["type"]) == (True, "tasks:log_mail", "ConnectionError")


def test_a_policy_that_fails_fast_ends_it(here: Path) -> None:
    words = ("signup.yaml", "--resilience", "house-rules.yaml", "-i", "card=bad", "--json", "--store", "memory:")
    done = run("run", *words)
    assert done.exit_code == 1
    told = decisions(done)["first-payment"]
    assert told == ("terminate", "failurePolicy fail_fast of policy payments (tag payments)")
    assert json.loads(done.stdout)["nodes"]["first-payment"]["attempts"] == 3


def test_python_takes_the_file_too(here: Path) -> None:
    loaded = ms.load("signup.yaml", resilience="house-rules.yaml")
    assert loaded.workflow.resilience is not None and loaded.workflow.resilience.name == "house-rules"
    result = ms.run(loaded)
    assert result.status == "partial_success" and result.partial is not None
    assert result.partial.failed == ("warm-cache",) and result.partial.degraded == ("welcome-mail",)
    assert result.partial.health.continuity == "at_risk", "nobody else is a probe"
    assert ms.run("signup.yaml", input={"card": "good"}).partial is None
    assert ms.run("signup.yaml", resilience="house-rules.yaml").status == "partial_success"


def test_a_file_that_is_no_good_is_told(here: Path) -> None:
    (here / "bad.yaml").write_text("kind: WorkflowResilienceConfig\nspec: {retryBudget: -1}\n")
    for command in ("run", "validate"):
        done = run(command, "signup.yaml", "--resilience", "bad.yaml")
        assert done.exit_code == 2 and "retryBudget" in done.stderr
    assert run("run", "--resume", "x", "--resilience", "house-rules.yaml").exit_code == 2


def test_a_policy_that_no_file_has_is_told(here: Path) -> None:
    text = (here / "signup.yaml").read_text().replace("tags: [probes]", "resilience: {policy: probez}")
    (here / "named.yaml").write_text(text)
    done = run("validate", "named.yaml", "--resilience", "house-rules.yaml")
    assert done.exit_code == 0 and "MS246" in done.stderr and "did you mean `probes`" in done.stderr


def test_a_fallback_action_whose_code_is_missing_is_told(here: Path) -> None:
    (here / "house-rules.yaml").write_text((here / "house-rules.yaml").read_text().replace("log_mail", "log_letter"))
    done = run("validate", "signup.yaml", "--resilience", "house-rules.yaml")
    assert "the fallback action `tasks:log_letter` of node `welcome-mail`" in done.stderr
