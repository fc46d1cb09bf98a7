"""`mainspring gc`: what it says of what goes and stays, and that the engine that holds a store does it."""

from __future__ import annotations

import json

import pytest

from tests.cli.shell import Shell, read_until


def _run(shell: Shell, *keys: str) -> None:
    for key in keys:
        assert shell("run", "echo.yaml", "--key", key).returncode == 0


def test_what_would_go_is_what_goes(shell: Shell) -> None:
    _run(shell, "1", "2", "3")
    told = json.loads(shell("gc", "--keep", "1", "--dry-run", "--json").stdout)
    assert (told["removed"], told["dryRun"], told["kept"]) == (2, True, {"newest": 1})
    shown = shell("gc", "--keep", "1", "--dry-run").stdout
    assert "2 instances would be removed" in shown
    assert told["ids"][0] in shown
    done = shell("gc", "--keep", "1").stdout
    assert "2 instances were removed" in done
    assert "1  among the last of their workflow" in done
    assert "the store is" in done
    (left,) = json.loads(shell("list", "--json").stdout)
    assert left["id"] not in told["ids"]
    assert shell("gc", "--older-than", "30d").stdout.startswith("✓ 0 instances were removed")
    gone = json.loads(shell("gc", "--older-than", "0s", "--json").stdout)
    assert (gone["removed"], gone["ids"]) == (1, [left["id"]])


def test_the_engine_that_holds_the_store_does_it(shell: Shell) -> None:
    _run(shell, "1", "2")
    process = shell.start("run", "gated.yaml", "--key", "k")
    read_until(process, "at the gate")
    done = json.loads(shell("gc", "--keep", "0", "--json").stdout)
    assert (done["removed"], done["kept"]) == (2, {"open": 1})
    (shell.folder / "open").touch()
    process.communicate(timeout=20)
    assert process.returncode == 0
    (left,) = json.loads(shell("list", "--json").stdout)
    assert (left["id"], left["status"]) == ("gated:k", "completed")


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "say what may go"), (("--older-than", "soon"), "takes a time"), (("--keep", "-1"), "-1")],
)
def test_what_may_go_must_be_said(shell: Shell, words: tuple[str, ...], said: str) -> None:
    refused = shell("gc", *words)
    assert refused.returncode == 2
    assert said in refused.stderr


def test_no_store_is_made_for_it(shell: Shell) -> None:
    refused = shell("gc", "--keep", "0", "--store", "sqlite:///nothing.db")
    assert refused.returncode == 2
    assert "there is no store" in refused.stderr
    assert not (shell.folder / "nothing.db").exists()
