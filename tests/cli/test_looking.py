"""validate, list, show, events, import; the cost of a start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mainspring.cli import givens, look, words
from mainspring.cli.listing import STATUSES
from mainspring.cli.main import COMMANDS, group
from mainspring.machine.lifecycle import INSTANCE_STATES, NODE_STATES
from tests.cli.shell import Shell

BAD = """\
id: bad
nodes:
  - id: a
    type: functoin
    retires: 3
connections:
  - {source: a, target: b}
"""


def test_findings_are_shown_at_their_place_all_at_once(shell: Shell) -> None:
    shell.write("bad.yaml", BAD)
    done = shell("run", "bad.yaml")
    assert done.returncode == 2
    assert "bad.yaml:4:11: error MS205: unknown node type `functoin`" in done.stderr
    assert "    4 |     type: functoin\n      |           ^\n      = did you mean `function`?" in done.stderr
    assert "3 errors; nothing was run" in done.stderr
    told = json.loads(shell("run", "bad.yaml", "--json").stdout)
    assert [one["code"] for one in told["findings"]] == ["MS205", "MS104", "MS206"]


def test_validate_tells_of_each_file(shell: Shell) -> None:
    shell.write("bad.yaml", BAD)
    done = shell("validate", "echo.yaml", "bad.yaml", "lost.yaml")
    assert done.returncode == 2
    assert "✓ echo.yaml: ok, 1 node, 0 connections, 1 entry point" in done.stdout
    assert "✗ bad.yaml: 3 errors" in done.stderr
    assert "✓ lost.yaml: ok, 2 nodes, 0 connections, 2 entry points (2 warnings)" in done.stdout
    told = json.loads(shell("validate", "lost.yaml", "--json").stdout)
    assert told[0]["valid"] is True and {one["code"] for one in told[0]["findings"]} == {"MS902"}


def test_what_cannot_be_run_yet_is_a_warning_to_validate_and_an_error_to_run(shell: Shell) -> None:
    shell.write("new.yaml", "id: n\nnodes:\n  - {id: a, type: http, config: {url: x}}\n")
    done = shell("validate", "new.yaml")
    assert done.returncode == 0
    assert "new.yaml:3:19: warning MS901" in done.stderr
    refused = shell("run", "new.yaml")
    assert refused.returncode == 2
    assert "new.yaml:3:19: error MS901" in refused.stderr


def test_unreadable_definitions_are_no_tracebacks(shell: Shell) -> None:
    shell.write("broken.json", '{"id": "x", ')
    shell.write("broken.yaml", "id: [x\n")
    (shell.folder / "binary.yaml").write_bytes(bytes(range(256)))
    for name in ("none.yaml", ".", "binary.yaml", "broken.json", "broken.yaml", "/dev/null"):
        for verb in ("run", "validate"):
            done = shell(verb, name)
            assert done.returncode == 2, name
            assert "error MS" in done.stderr and "Traceback" not in done.stderr, name


def test_list_show_and_events_tell_the_same_story(shell: Shell) -> None:
    shell("run", "echo.yaml", "-i", "value=1")
    shell("run", "boom.yaml")
    listed = shell("list").stdout.splitlines()
    assert listed[0].split() == ["ID", "WORKFLOW", "STATUS", "STARTED", "DURATION"]
    assert listed[1].startswith("boom-") and " failed " in listed[1]
    assert listed[2].startswith("echo-") and " completed " in listed[2]
    assert len(shell("list", "--status", "failed").stdout.splitlines()) == 2
    assert "no such instance" in shell("list", "--workflow", "other").stdout
    shown = shell("show", "boom").stdout
    assert "✗ boom failed" in shown and "in boom\n" in shown and "skipped: parse failed" in shown
    assert "hello" not in shown
    node = json.loads(shell("show", "last", "--node", "parse", "--json").stdout)
    assert node["attempts"] == 2 and node["error"]["type"] == "ValueError"
    assert "did you mean `parse`" in shell("show", "last", "--node", "pars").stderr
    events = shell("events", "last").stdout
    assert "NodeRetrying" in events and "parse attempt=1 error=ValueError: no such \\x1b[31mthing" in events
    told = [json.loads(line) for line in shell("events", "last", "--json").stdout.splitlines()]
    assert told[0]["event"] == "InstanceStarted" and told[-1]["event"] == "InstanceFailed"
    assert shell("show", "nope").returncode == 2
    assert shell("show", "").returncode == 2


def test_import_says_how_long_the_longest_way_is(shell: Shell) -> None:
    tasks = [{"id": "a", "name": "a", "parents": [], "children": ["b"]}, {"id": "b", "name": "b", "parents": ["a"]}]
    runs = [{"id": "a", "runtimeInSeconds": 3}, {"id": "b", "runtimeInSeconds": 4.5}]
    document = {"workflow": {"specification": {"tasks": tasks}, "execution": {"tasks": runs}}}
    (shell.folder / "w.json").write_text(json.dumps(document))
    done = shell("import", "wfformat", "w.json", "-o", "w.yaml", "--time-scale", "0.01")
    assert "w.yaml: 2 tasks, 1 edge, critical path 75 ms" in done.stdout
    assert shell("run", "w.yaml", "-q").returncode == 0
    printed = shell("import", "wfformat", "w.json", "-o", "-", "--json")
    assert printed.stdout.startswith("id: w") and json.loads(printed.stderr)["criticalPathMs"] == 7500
    assert shell("import", "wfformat", "none.json", "-o", "x.yaml").returncode == 2
    assert shell("import", "wfformat", "w.json", "-o", "no/such/x.yaml").returncode == 2
    (shell.folder / "w.json").write_text("[]")
    assert shell("import", "wfformat", "w.json", "-o", "x.yaml").returncode == 2


@pytest.mark.timed
def test_a_start_imports_nothing_it_does_not_need() -> None:
    for args in (["--version"], ["--help"], ["run", "--help"]):
        code = f"import sys; from mainspring.cli.main import main; main({args!r}); print(sorted(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for heavy in ("rich", "yaml", "msgspec", "asyncio", "mainspring.engine", "mainspring.assembly", "sqlite3"):
            assert f"'{heavy}'" not in done.stdout, (args, heavy)


def test_every_command_has_help_with_an_example() -> None:
    for name in COMMANDS:
        shown = CliRunner().invoke(group, [name, "--help"])
        assert shown.exit_code == 0
        assert f"mainspring {name}" in shown.output


def test_every_command_stands_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    for name in COMMANDS:
        assert f"## mainspring {name}" in text
        command = group.get_command(None, name)  # type: ignore[arg-type]
        for option in [] if command is None else command.params:
            for word in option.opts:
                assert not word.startswith("--") or word in text, (name, word)


def test_every_status_has_a_look() -> None:
    assert set(STATUSES) == set(INSTANCE_STATES)
    assert (set(NODE_STATES) | set(INSTANCE_STATES)) <= set(look.STYLES) | {"pending"}


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1.00 s"), (12_340, "12.3 s"), (59_960, "1m 00s"), (3_725_000, "1h 02m")],
)
def test_durations_in_words(milliseconds: int, text: str) -> None:
    assert words.duration(milliseconds) == text


def test_inputs_are_json_where_they_can_be() -> None:
    assert givens.merged(["a=1", "b=x y", "c=null", "d=NaN", "e=", "f=a=b", "g=007"]) == {
        "a": 1, "b": "x y", "c": None, "d": "NaN", "e": "", "f": "a=b", "g": "007",
    }  # fmt: skip
    assert givens.merged([]) is None
    assert givens.merged(["[1, 2]"]) == [1, 2]
