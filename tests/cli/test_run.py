"""`mainspring run` through a pipe: what it prints, where, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Shell

ORDER = Path(__file__).parents[2] / "examples" / "order" / "order.yaml"


def test_the_example_ends_well_and_says_why_nodes_were_skipped(shell: Shell) -> None:
    done = shell("run", str(ORDER))
    assert done.returncode == 0, done.stderr
    assert "✓ reserve" in done.stdout
    assert "skipped: the condition `nodes.reserve.output.gift == true` was not true" in done.stdout
    assert "4 completed, 2 skipped · 1 retry" in done.stdout
    assert "mainspring show order-" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert (shell.folder / ".mainspring" / ".gitignore").read_text() == "*\n"


def test_quiet_prints_the_output_alone_and_tasks_print_elsewhere(shell: Shell) -> None:
    done = shell("run", "echo.yaml", "-i", "value=7", "-i", "deep.er.x=text", "-i", '{"deep": {"y": [1]}}', "--quiet")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"value": 7, "deep": {"er": {"x": "text"}, "y": [1]}}
    assert "hello from a task" in done.stderr


def test_json_is_one_object_with_everything(shell: Shell) -> None:
    done = shell("run", "boom.yaml", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == told["exitCode"] == 1
    assert told["status"] == "failed"
    assert told["nodes"]["parse"]["attempts"] == 2
    assert told["nodes"]["store"]["because"] == "parse"
    assert told["errors"][0]["type"] == "ValueError"
    assert "jobs.py" in told["errors"][0]["stack"]
    assert told["startedAt"].endswith("Z")


def test_a_failure_shows_its_error_and_the_line_that_raised_it(shell: Shell) -> None:
    done = shell("run", "boom.yaml")
    assert done.returncode == 1
    assert "ValueError: no such \\x1b[31mthing" in done.stdout
    assert "in boom: raise ValueError" in done.stdout
    assert "skipped: parse failed" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_missing_code_is_told_before_anything_starts(shell: Shell) -> None:
    done = shell("run", "lost.yaml")
    assert done.returncode == 2
    assert "a: there is no module 'nowhere'" in done.stderr
    assert "did you mean `boom`" in done.stderr
    assert "nothing was run" in done.stderr
    assert not (shell.folder / ".mainspring").exists()


def test_the_same_key_runs_once(shell: Shell) -> None:
    first = json.loads(shell("run", "gated.yaml", "--key", "k", "--json").stdout) if _open(shell) else {}
    again = shell("run", "gated.yaml", "--key", "k", "--json")
    assert json.loads(again.stdout)["id"] == first["id"] == "gated:k"
    assert shell.ran() == ["first", "gate", "last"]


def _open(shell: Shell) -> bool:
    (shell.folder / "open").touch()
    return True


def test_the_store_is_where_one_says(shell: Shell) -> None:
    assert shell("run", "echo.yaml", MAINSPRING_STORE="sqlite:///e.db").returncode == 0
    assert shell("run", "echo.yaml", "--store", "sqlite:///s.db", "--durability", "normal").returncode == 0
    assert (shell.folder / "e.db").exists() and (shell.folder / "s.db").exists()
    assert shell("run", "echo.yaml", "--store", "memory:").returncode == 0
    assert not (shell.folder / ".mainspring").exists()


POOLED = """
id: pooled
nodes:
  - id: each
    type: forEach
    config:
      items: [1, 2, 3]
      concurrency: 3
      body: {nodes: [{id: n, type: function, config: {handler: "jobs:quick"}, pool: gpu}]}
"""


def test_a_pool_has_as_many_places_as_one_says(shell: Shell) -> None:
    shell.write("pooled.yaml", POOLED)
    done = shell("run", "pooled.yaml", "--pool", "gpu=1", "--json")
    assert done.returncode == 0, done.stderr
    assert shell("run", "--resume", "last", "--pool", "gpu=2").returncode == 0


def test_bad_usage_is_one_clear_line(shell: Shell) -> None:
    shell.write("list.json", "[1, 2")
    shell.write("pooled.yaml", POOLED)
    for args, told in (
        (("run",), "give the FILE"),
        (("run", "echo.yaml", "--resume", "x"), "give the FILE"),
        (("run", "echo.yaml", "-i", "x"), "neither k=v"),
        (("run", "echo.yaml", "-i", "@none.json"), "cannot read none.json"),
        (("run", "echo.yaml", "-i", "@list.json"), "line 1, column"),
        (("run", "echo.yaml", "-i", "[1]", "-i", "a=1"), "only objects can be merged"),
        (("run", "echo.yaml", "--store", "redish://x"), "unknown store"),
        (("run", "echo.yaml", "--store", "sqlite:///no/such/folder/x.db"), "there is no folder"),
        (("run", "echo.yaml", "--store", "sqlite:///jobs.py"), "not a database"),
        (("run", "echo.yaml", "--import", "nope"), "there is no such module"),
        (("run", "--resume", "x"), "nothing has been run there yet"),
        (("run", "echo.yaml", "--pool", "gpu"), "as in --pool gpu=2"),
        (("run", "echo.yaml", "--pool", "gpu=0"), "as in --pool gpu=2"),
        (("run", "pooled.yaml", "--pool", "a=1"), "each.n needs a place of the pool gpu"),
        (("runn",), "did you mean 'run'"),
        (("echo.yaml",), "mainspring run echo.yaml"),
    ):
        done = shell(*args)
        assert done.returncode == 2, args
        assert told in done.stderr, (args, done.stderr)
        assert "Traceback" not in done.stderr and not done.stdout, args


def test_a_closed_pipe_is_no_error_message(shell: Shell) -> None:
    process = shell.start("run", str(ORDER))
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(20) == 141
    process.stdout = None
