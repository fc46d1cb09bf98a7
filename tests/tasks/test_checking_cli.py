"""What is found about tasks stands at its place on `validate`, and keeps a run from beginning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.shell import Shell

JOBS = """
import mainspring as ms

@ms.task
async def charge(order_id: str, amount: float, currency: str = "EUR") -> dict:
    return {"paid": amount}
"""

BAD = """
id: bad
nodes:
  - id: charge
    type: function
    config: {handler: "jobs:charge"}
    input:
      order_id: 17
      amuont: 3
      note: x
  - id: code
    type: function
    config:
      code: |
        total = price * quantity
        x = )
        return total
  - {id: ps, type: script, config: {runtime: powershell, code: "1", env: {PATH: /nowhere}}}
  - {id: lost, type: function, config: {handler: "jobs:chrage"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.write("jobs.py", JOBS)
    shell.write("bad.yaml", BAD)
    return shell


def test_validate_tells_all_of_it_at_its_place(folder: Shell) -> None:
    done = folder("validate", "bad.yaml")
    assert done.returncode == 2
    for line in (
        "bad.yaml:8:17: error MS232: input.order_id: expected str, got int (charge)",
        "bad.yaml:9:7: error MS230: charge needs `amount`, and there is `amuont`",
        "= did you mean `amount`?",
        "bad.yaml:10:7: warning MS231: `note` is dropped: charge does not take it",
        "bad.yaml:16:13: error MS234: node `code`: line 2 of the code: unmatched ')'",
        "bad.yaml:18:46: warning MS236: node `ps`: a powershell script needs pwsh or powershell",
        "bad.yaml:19:50: warning MS902: node `lost`:",
        "did you mean `charge`?",
        "3 errors, 3 warnings",
    ):
        assert line in done.stderr
    told = json.loads(folder("validate", "bad.yaml", "--json").stdout)[0]
    assert told["valid"] is False
    assert [one["code"] for one in told["findings"]] == ["MS232", "MS230", "MS231", "MS234", "MS236", "MS902"]


def test_run_refuses_what_is_wrong_before_anything_starts(folder: Shell) -> None:
    done = folder("run", "bad.yaml")
    assert done.returncode == 2 and "MS230" in done.stderr and "^" in done.stderr
    assert not (folder.folder / ".mainspring").exists()


def test_what_is_not_here_is_a_warning_on_validate_and_a_clear_error_on_run(folder: Shell) -> None:
    """Issue 3: a handler, or an interpreter, that is not found yet."""
    _, tail = BAD.split("  - {id: ps")
    folder.write("absent.yaml", f"id: absent\nnodes:\n  - {{id: ps{tail}")
    checked = folder("validate", "absent.yaml")
    assert checked.returncode == 0 and "2 warnings" in checked.stdout
    ran = folder("run", "absent.yaml")
    assert ran.returncode == 2
    assert "the code of these nodes cannot be found; nothing was run" in ran.stderr
    assert "ps: a powershell script needs pwsh or powershell" in ran.stderr and "install PowerShell 7" in ran.stderr
    assert "lost: " in ran.stderr
    assert not (folder.folder / ".mainspring").exists()


def test_run_shows_warnings_and_goes_on(folder: Shell) -> None:
    folder.write(
        "warned.yaml",
        """
        id: warned
        nodes:
          - id: charge
            type: function
            config: {handler: "jobs:charge"}
            input: {order_id: a, amount: 2, note: x}
        """,
    )
    done = folder("run", "warned.yaml")
    assert done.returncode == 0, done.stderr
    assert "MS231" in done.stderr and "✓ charge" in done.stdout
