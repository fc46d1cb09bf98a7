"""`mainspring show ID --at`: each view shows how things stood then, and says so."""

from __future__ import annotations

import json

from tests.cli.shell import Shell

LOOP = """
    id: charges
    nodes:
      - id: each
        type: forEach
        config:
          items: 3
          body: [{id: say, type: function, config: {handler: "jobs:echo"}, input: {value: "${ item }"}}]
      - {id: last, type: function, config: {handler: "jobs:quick"}, dependsOn: [each]}
    """


def _events(shell: Shell) -> list[dict[str, object]]:
    return [json.loads(line) for line in shell("events", "last", "--json").stdout.splitlines()]


def test_each_event_can_be_looked_back_at(shell: Shell) -> None:
    shell("run", "boom.yaml")
    events = _events(shell)
    statuses = set()
    for number, one in enumerate(events, 1):
        told = json.loads(shell("show", "last", "--at", f"{one['seq']}.{one['index']}", "--json").stdout)
        assert told["lookingBack"]["eventsFollowing"] == len(events) - number
        assert told["lookingBack"]["at"] == one["at"]
        statuses.add((told["status"], told["nodes"]["parse"]["status"]))
    assert statuses >= {("running", "pending"), ("running", "running"), ("running", "retrying"), ("failed", "failed")}


def test_the_screen_says_that_it_is_a_look_back_and_of_when(shell: Shell) -> None:
    (shell.folder / "open").touch()
    shell("run", "gated.yaml", "--key", "1")
    shown = shell("show", "gated:1", "--at", "2").stdout
    assert "gated running" in shown and "looking back: after row 2 (" in shown and "events follow" in shown
    assert "1 completed, 1 running, 1 pending" in shown
    assert "as it stands now: mainspring show gated:1" in shown and "--resume" not in shown
    last = _events(shell)[-1]
    now = shell("show", "gated:1", "--at", str(last["seq"])).stdout
    assert "gated completed" in now and "nothing has followed" in now


def test_a_node_and_a_body_as_they_stood(shell: Shell) -> None:
    shell.write("loop.yaml", LOOP)
    assert shell("run", "loop.yaml", "--key", "1").returncode == 0
    ended = next(one for one in _events(shell) if one["event"] == "ScopeEnded")
    at = f"{ended['seq']}.{ended['index']}"
    shown = shell("show", "charges:1", "--at", at)
    assert "1 completed" in shown.stdout and f"--at {at}\n" in shown.stdout, shown
    body = json.loads(shell("show", "charges:1", "--at", at, "--node", f"each[{ended['number']}]", "--json").stdout)
    assert body["status"] == "completed"
    then = shell("show", "charges:1", "--at", at, "--node", "each[1]")
    assert then.returncode == 2 and "has begun no body 'each[1]'" in then.stderr
    begun = next(one for one in _events(shell) if one["event"] == "ScopeStarted" and one["number"] == 1)
    place = f"{begun['seq']}.{begun['index']}"
    open_body = shell("show", "charges:1", "--at", place, "--node", "each[1]", "--json")
    assert json.loads(open_body.stdout)["status"] == "open"
    assert json.loads(shell("show", "charges:1", "--node", "each[1]", "--json").stdout)["status"] == "completed"
    assert json.loads(shell("show", "charges:1", "--at", at, "--node", "last", "--json").stdout)["status"] == "pending"
    text = shell("show", "charges:1", "--at", at, "--node", "last").stdout
    assert "looking back" in text


def test_a_moment_that_is_not_there(shell: Shell) -> None:
    shell("run", "echo.yaml", "--key", "1")
    gone = shell("show", "echo:1", "--at", "99")
    assert gone.returncode == 2 and "no row 99: its journal has rows 1 to" in gone.stderr
    early = shell("show", "echo:1", "--at", "2020-01-01T00:00:00Z")
    assert early.returncode == 2 and "had not begun" in early.stderr
    nonsense = shell("show", "echo:1", "--at", "yesterday")
    assert nonsense.returncode == 2 and "is no moment" in nonsense.stderr
    assert "completed" in shell("show", "echo:1", "--at", "2100-01-01 00:00:00").stdout
