"""D2: the definitions that people wrote load and validate as they stand, and mean what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms
from mainspring.cli.main import main
from mainspring.definition.model import Connection, FallbackAction, Resilience, Retry

HERE = Path(__file__).parent / "files"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "fixtures"

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the fixtures do not lie beside this checkout")


@needs_shared
@pytest.mark.parametrize("more", [[], ["--import", "actions"]], ids=["alone", "with-actions"])
@pytest.mark.parametrize("name", ["spelled-out.yaml", "editor-style.json", "steps-style.yaml", "resilience.yaml"])
def test_the_shared_ones_validate(name: str, more: list[str]) -> None:
    # A process of its own: what `actions` registers is for no other test.
    done = subprocess.run(
        [sys.executable, "-B", "-m", "mainspring", "validate", name, *more], cwd=SHARED, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "ok, " in done.stdout and "error" not in done.stderr
    # Code that is not loaded is said, where there is any.
    assert ("MS902" in done.stderr) == (name == "steps-style.yaml" and not more)


@pytest.mark.parametrize("path", sorted(HERE.iterdir()), ids=lambda path: path.name)
def test_our_own_validate(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(path)]) == 0
    assert "ok, " in capfd.readouterr().out


def shared(name: str) -> Any:
    return ms.load(SHARED / name).workflow


@needs_shared
def test_the_spelled_out_style() -> None:
    workflow = shared("spelled-out.yaml")
    assert (workflow.id, workflow.name) == ("nightly-orders", "Nightly order import")
    assert [(node.type, node.config) for node in workflow.nodes] == [
        ("script", {"path": "scripts/download.sh", "runtime": "bash"}),
        ("script", {"path": "scripts/clean.py", "runtime": "python"}),
        ("script", {"path": "scripts/report.py", "runtime": "python"}),
        ("script", {"path": "scripts/alarm.sh", "runtime": "bash"}),
    ]
    assert workflow.connections == (
        Connection(source="download", target="clean"),
        Connection(source="clean", target="report", condition='output.rows > 0 && output.status == "ok"'),
        Connection(source="download", target="raise-alarm", trigger="fail"),
    )


@needs_shared
def test_the_editor_style() -> None:
    workflow = shared("editor-style.json")
    start, size, review, pay, cool_off = workflow.nodes
    assert (start.type, size.type, size.config["defaultPath"]) == ("trigger", "decision", "large")
    assert (review.config, review.timeout) == ({"handler": "refunds:review"}, 60_000)
    assert pay.retry == Retry(max_attempts=4, initial_delay=500)
    assert cool_off.config == {"delayType": "fixed", "duration": 20}
    assert [one.source_port for one in workflow.connections] == [None, "large", "small", None, None]
    assert workflow.tags == ("refunds", "finance")
    assert set(workflow.metadata) == {"createdAt", "updatedAt", "createdBy"}


@needs_shared
def test_the_step_style() -> None:
    workflow = shared("steps-style.yaml")
    assert (workflow.id, workflow.failure_policy, workflow.max_partial_failures) == (
        "onboard-customer",
        "partial_success",
        2,
    )
    create, warm, mail = workflow.nodes
    assert create.config == {"handler": "account_create"}
    assert create.retry == Retry(strategy="fixed", max_attempts=4, initial_delay=200)
    assert warm.depends_on == ("create-account",)
    assert warm.resilience == Resilience(failure_policy="continue", is_critical=False, failure_impact="minor")
    assert mail.resilience == Resilience(
        failure_policy="graceful_degradation",
        is_critical=False,
        fallback_actions=(FallbackAction(type="mail_queue"), FallbackAction(type="mail_log")),
    )
