"""`retry`, `skip`, `complete`, `rerun`, `set`: dry and done, with and without a process that runs the instance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.shell import Shell, read_until


def told(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def failed(shell: Shell) -> Shell:
    """An instance `boom:1` whose node parse has failed; store was skipped for that."""
    assert shell("run", "boom.yaml", "--key", "1").returncode == 1
    return shell


def test_a_dry_run_says_what_would_happen_and_nothing_does(failed: Shell) -> None:
    before = failed("events", "last").stdout
    dry = failed("retry", "last", "parse", "--dry-run", "--reason", "mended", "--by", "ann")
    assert dry.returncode == 0, dry.stderr
    lines = dry.stdout.splitlines()
    assert lines[0].endswith("boom:1: this would happen, and nothing has:")
    assert [line.split()[0] for line in lines[1:6]] == [
        "Intervened", "InstanceReopened", "NodeReset", "NodeReset", "NodeStarted",
    ]  # fmt: skip
    assert "what=retry reason=mended by=ann" in lines[1] or "reason=mended" in lines[1]
    assert lines[6:] == ["  starts: parse", "  the instance would be running"]
    assert failed("events", "last").stdout == before


def test_done_by_hand_the_rest_goes_on(failed: Shell) -> None:
    done = failed("complete", "last", "parse", "n=3", "--reason", "by phone", "--by", "ann")
    assert "boom:1: parse is completed" in done.stdout
    assert "to go on, where nothing runs it now: mainspring run --resume boom:1" in done.stdout
    ended = told(failed("run", "--resume", "last", "--json"))
    assert (ended["status"], ended["nodes"]["parse"]["output"]) == ("completed", {"n": 3})
    audit = failed("events", "last").stdout
    assert "Intervened" in audit
    assert "by=ann" in audit
    assert "reason=by phone" in audit


def test_skipped_the_instance_counts_as_not_failed(failed: Shell) -> None:
    dry = told(failed("skip", "last", "parse", "--dry-run", "--json"))
    assert (dry["dryRun"], dry["status"], dry["starts"]) == (True, "completed", [])
    assert dry["events"][0] == {
        "event": "Intervened", "what": "skip", "path": "parse", "run": 1, "by": dry["events"][0]["by"], "reason": "",
    }  # fmt: skip
    failed("skip", "last", "parse")
    assert failed("run", "--resume", "last").returncode == 0


def test_run_again_from_a_node_with_another_input(shell: Shell) -> None:
    assert shell("run", "echo.yaml", "--key", "1").returncode == 0
    assert "it runs again from say on" in shell("rerun", "last", "say", "--input", "value=7").stdout
    ended = told(shell("run", "--resume", "last", "--json"))
    assert ended["nodes"]["say"]["output"] == {"value": 7, "deep": None}


def test_retried_with_another_input(failed: Shell) -> None:
    failed("retry", "last", "parse", "--input", '{"n": 1}')
    assert failed("run", "--resume", "last").returncode == 1
    assert told(failed("show", "last", "--node", "parse", "--json"))["input"] == {"n": 1}


def test_in_a_process_that_runs_it(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    refused = shell("rerun", "last", "first")
    assert refused.returncode == 2
    assert "only one that is at its end" in refused.stderr
    assert shell("set", "last", "rate=3").returncode == 0
    assert "wait is completed" in shell("complete", "last", "wait", "by=hand").stdout
    process.communicate(timeout=20)
    assert process.returncode == 0
    seen = told(shell("show", "last", "--json"))
    assert (seen["variables"], seen["nodes"]["wait"]["output"]) == ({"rate": 3}, {"by": "hand"})


def test_what_can_t_be_is_said(failed: Shell) -> None:
    for words, said in (
        (("skip", "last", "store"), "the instance is failed: run it again from the node instead (rerun)"),
        (("retry", "last", "nothing"), "there is no nothing"),
        (("set", "last", "n=1"), "nothing would see them"),
        (("rerun", "last", "store"), "store was skipped: nothing came to it"),
        (("set", "last", "[1]"), "VALUES must be an object"),
    ):
        done = failed(*words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
