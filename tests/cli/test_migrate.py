"""`migrate` and `rerun --with`: with and without a process that runs the instance; what can't be is told (D9)."""

from __future__ import annotations

import io
import json

from mainspring.cli.live_view import LiveView
from mainspring.cli.look import Screen
from mainspring.cli.plain_lines import Lines
from mainspring.definition.model import Node, Workflow
from mainspring.graph.plan import Plan
from mainspring.machine.instance import Instance
from mainspring.machine.scope import NodeState
from tests.cli.shell import Shell, read_until

NEWER = """
id: gated
nodes:
  - {id: first, type: function, config: {handler: "jobs:quick"}}
  - {id: wait, type: function, config: {handler: "jobs:gate"}, dependsOn: [first]}
  - {id: last, type: log, dependsOn: [wait]}
  - {id: more, type: function, config: {handler: "jobs:quick"}, dependsOn: [last]}
"""
OTHER = """
id: gated
nodes:
  - {id: wait, type: function, config: {handler: "jobs:gate"}}
"""


def test_in_a_process_that_runs_it(shell: Shell) -> None:
    shell.write("newer.yaml", NEWER)
    shell.write("other.yaml", OTHER)
    process = shell.start("run", "gated.yaml", "--key", "1")
    read_until(process, "at the gate")
    dry = shell("migrate", "newer.yaml", "last", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()) == (
        0,
        [
            "◷ gated:1 can go on by the version in newer.yaml",
            "  ~ last changed",
            "  + more added",
            "  nothing was changed (--dry-run)",
        ],
    )
    refused = shell("migrate", "other.yaml", "last")
    assert refused.returncode == 1
    assert "✗ gated:1 stays with its version:\n    first: it is completed, and is not there any more" in refused.stdout
    told = json.loads(shell("migrate", "other.yaml", "--all", "--json").stdout)
    assert told["instances"][0]["refusal"].startswith("it cannot go on by version")
    done = shell("migrate", "newer.yaml", "--all", "--by", "ann")
    assert done.stdout.splitlines()[0] == "✓ gated:1 goes on by the version in newer.yaml"
    assert "as soon as an engine runs" not in done.stdout
    assert "no open instance" in shell("migrate", "newer.yaml", "--all").stdout
    (shell.folder / "open").touch()
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    ended = [line.split()[1] for line in said.splitlines() if line.endswith((" ms", " s"))]
    assert ended[-3:] == ["wait", "last", "more"], said
    assert "goes on by another version" in said
    nodes = json.loads(shell("show", "last", "--json").stdout)["nodes"]
    assert nodes["more"]["status"] == "completed"
    assert "it is completed" not in shell("migrate", "newer.yaml", "last").stdout


def test_views_go_by_the_numbers_of_the_new_version() -> None:
    """Nodes have other numbers there, and there may be fewer of them."""
    old, new = Plan(_flow("a", "b", "c"), "v1"), Plan(_flow("b", "a"), "v2")
    instance = Instance(old, "i")
    for index in range(3):
        instance.nodes[index] = NodeState(status="completed", started_at=index + 1, ended_at=index + 2)
    stream = io.StringIO()
    live, lines = LiveView(Screen(stream)), Lines(Screen(stream))
    for view in (live, lines):
        view.tick(instance, {})
    moved = Instance(new, "i")
    moved.nodes[0] = moved.nodes[1] = NodeState(status="completed", ended_at=1)
    for view in (live, lines):
        view.tick(moved, {})
    assert live._recent == [1, 0]
    said = stream.getvalue().splitlines()
    assert [line.split()[1] for line in said if line.endswith(" ms")] == ["a", "b", "c"], said
    assert said[-1] == "  goes on by another version of its workflow"


def _flow(*ids: str) -> Workflow:
    return Workflow(id="w", nodes=tuple(Node(id=id, type="log") for id in ids))


def test_where_nothing_runs_it(shell: Shell) -> None:
    shell.write("asks.yaml", "id: asks\nnodes: [{id: w, type: wait, config: {signal: go}}]\n")
    for key in ("1", "2"):
        assert shell("run", "asks.yaml", "--key", key).returncode == 5
    shell.write(
        "asks.yaml",
        "id: asks\nnodes: [{id: w, type: wait, config: {signal: go}}, {id: x, type: log, dependsOn: [w]}]\n",
    )
    done = shell("migrate", "asks.yaml", "--all")
    assert done.stdout.splitlines() == [
        "✓ 2 of 2 instances go on by the version in asks.yaml",
        "  2 of them do so as soon as an engine runs them: mainspring run --resume asks:2",
    ]
    assert shell("signal", "asks:1", "go").returncode == 0
    assert shell("run", "--resume", "asks:1").returncode == 0
    assert "x" in json.loads(shell("show", "asks:1", "--json").stdout)["nodes"]


def test_usage(shell: Shell) -> None:
    shell.write("newer.yaml", NEWER)
    assert "name instances, or say --all" in shell("migrate", "newer.yaml").stderr
    assert "not both" in shell("migrate", "newer.yaml", "x", "--all").stderr
    assert shell("migrate", "nothing.yaml", "--all").returncode == 2


def test_run_again_by_a_newer_version(shell: Shell) -> None:
    assert shell("run", "boom.yaml", "--key", "1").returncode == 1
    text = (shell.folder / "boom.yaml").read_text().replace("jobs:boom", "jobs:echo")
    shell.write("mended.yaml", text)
    done = shell("rerun", "last", "parse", "--with", "mended.yaml")
    assert done.returncode == 0, done.stderr
    assert "InstanceMigrated" in done.stdout
    assert shell("run", "--resume", "last").returncode == 0
