"""A3: what a pipe is told: each node once, nothing redrawn, nothing said to be old that is not."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from tests.cli.shell import Shell, read_until

QUICK = """
id: quick
nodes:
  - {id: noted, type: log}
  - {id: paused, type: delay, config: {duration: 20ms}, dependsOn: [noted]}
  - {id: never, type: log}
connections:
  - {source: paused, target: never, condition: "false"}
"""


def test_each_node_has_one_line(shell: Shell) -> None:
    shell.write("quick.yaml", QUICK)
    done = shell("run", "quick.yaml")
    assert done.returncode == 0, done.stderr
    for node in ("✓ noted", "✓ paused", "– never"):
        assert done.stdout.count(node) == 1, done.stdout


def test_what_is_done_at_once_was_not_done_before(shell: Shell) -> None:
    """`noted` is at its end before anybody could look."""
    shell.write("quick.yaml", QUICK)
    assert "done before" not in shell("run", "quick.yaml").stdout
    assert "done before" not in shell("run", "quick.yaml", "--key", "k").stdout


def test_a_failure_is_told_once_and_named_beside_the_verdict(shell: Shell) -> None:
    done = shell("run", "boom.yaml")
    assert done.returncode == 1
    assert done.stdout.count("✗ parse") == 1 and done.stdout.count("– store") == 1
    assert "parse: ValueError" in done.stdout.partition("✗ boom failed")[2]


def test_what_an_earlier_session_did_is_listed_in_the_summary(shell: Shell) -> None:
    process = shell.start("run", "gated.yaml")
    read_until(process, "at the gate")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    (shell.folder / "open").touch()
    done = shell("run", "--resume", "last")
    assert done.returncode == 0, done.stderr
    assert "1 node of 3 done before" in done.stdout
    for node in ("✓ first", "✓ wait", "✓ last"):
        assert done.stdout.count(node) == 1, done.stdout


def test_the_simulator_redraws_nothing_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mainspring.testing.simulate", "--seeds", "10", "--workers", "1"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert re.fullmatch(r"10 of 10 seeds, [\d,]+/s, 0 failed\n", done.stderr)
