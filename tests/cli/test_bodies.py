"""What the commands tell of blocks and their bodies: while they run, in a pipe, and from the journal afterwards."""

from __future__ import annotations

import json
import signal

from tests.cli.shell import Shell, read_until

LOOP = """
id: loop
nodes:
  - id: charges
    type: forEach
    config:
      items: 12
      concurrency: 4
      onError: collect
      body:
        nodes:
          - {id: charge, type: function, config: {handler: "loops:charge"}, input: {n: "${ item }"}}
          - {id: note, type: log, config: {message: paid}, dependsOn: [charge]}
  - id: passes
    type: while
    config:
      initial: 0
      condition: value < 5
      body: [{id: add, type: transform, config: {output: "${ value + 1 }"}}]
  - id: fastest
    type: race
    config:
      branches:
        - {name: quick, nodes: [{id: ask, type: log, config: {message: me}}]}
        - {name: slow, nodes: [{id: ask, type: delay, config: {duration: 1h}}]}
"""

TASKS = """
import mainspring as ms

@ms.task
async def charge(n: int):
    if n % 5 == 4:
        raise ValueError(f"card {n} refused")
    return {"n": n}
"""

NESTED = """
id: nested
nodes:
  - id: outer
    type: forEach
    config:
      items: 2
      concurrency: 2
      body:
        - id: inner
          type: parallel
          config:
            branches:
              - {name: gate, nodes: [{id: go, type: function, config: {handler: "jobs:gate"}}]}
              - [{id: say, type: log, config: {message: hello}}]
"""


def _loop(shell: Shell) -> Shell:
    shell.write("loops.py", TASKS)
    shell.write("loop.yaml", LOOP)
    return shell


def test_a_pipe_is_told_of_the_first_bodies_and_of_failures_and_of_no_more(shell: Shell) -> None:
    done = _loop(shell)("run", "loop.yaml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    charged = [line.split()[1] for line in lines if "].charge" in line]
    assert charged == ["charges[0].charge", "charges[1].charge", "charges[2].charge"]
    assert [line.split()[1] for line in lines if "].add" in line] == [f"passes[{k}].add" for k in range(3)]
    assert [line.split()[1] for line in lines if "fastest[" in line] == ["fastest[0].ask", "fastest[1].ask"]
    refused = [line.strip() for line in lines if "refused" in line]
    assert refused == [f"✗ charges[{n}]  ValueError: card {n} refused" for n in (4, 9)]
    assert any(line.startswith("  ✓ charges ") and line.endswith("12 bodies, 2 failed") for line in lines)
    assert any(line.startswith("  ✓ passes ") and line.endswith("5 passes") for line in lines)
    assert any(line.startswith("  ✓ fastest ") and line.endswith("left by port quick") for line in lines)


def test_a_long_loop_is_no_flood(shell: Shell) -> None:
    shell.write(
        "long.yaml",
        """
        id: long
        nodes:
          - id: loop
            type: forEach
            config:
              items: 3000
              concurrency: 100
              onError: collect
              body: [{id: n, type: function, config: {handler: "jobs:boom"}}]
        """,
    )
    done = shell("run", "long.yaml", "--durability", "normal")
    assert done.returncode == 0, done.stderr
    before = done.stdout[: done.stdout.index("output\n")].splitlines()
    assert len(before) < 40, before
    assert sum("✗ loop[" in line and "].n" not in line for line in before) == 10
    assert "further bodies of loop that fail are counted only" in done.stdout
    assert "3,000 bodies, 3,000 failed" in done.stdout


def test_show_counts_what_became_of_bodies_and_leads_to_one_that_failed(shell: Shell) -> None:
    _loop(shell)("run", "loop.yaml")
    shown = shell("show", "last").stdout
    assert "bodies    charges: 10 completed, 2 failed\n            passes: 5 completed\n" in shown
    assert "fastest: 1 completed, 1 stopped" in shown
    assert "one that failed: mainspring show loop-" in shown and "--node 'charges[4]'" in shown
    assert "✗ charges[4]  ValueError: card 4 refused" in shown
    told = json.loads(shell("show", "last", "--json").stdout)
    assert told["bodies"]["charges"] | {"errors": []} == {
        "begun": 12, "open": 0, "completed": 10, "failed": 2, "stopped": 0, "errors": [],
    }  # fmt: skip
    assert [one["body"] for one in told["bodies"]["charges"]["errors"]] == ["charges[4]", "charges[9]"]
    assert told["nodes"]["charges"]["bodies"]["begun"] == 12 and told["openBodies"] == {}


def test_the_nodes_of_a_body_that_has_ended_are_read_from_the_journal(shell: Shell) -> None:
    _loop(shell)("run", "loop.yaml")
    body = shell("show", "last", "--node", "charges[4]").stdout
    assert body.startswith("✗ charges[4] failed in ")
    assert "✗ charges[4].charge" in body and "ValueError: card 4 refused" in body
    assert "skipped: charges[4].charge failed" in body and body.endswith("input\n  4\n")
    told = json.loads(shell("show", "last", "--node", "charges[3]", "--json").stdout)
    assert (told["status"], told["input"], told["output"]) == ("completed", 3, {"n": 3})
    assert list(told["nodes"]) == ["charges[3].charge", "charges[3].note"]
    node = json.loads(shell("show", "last", "--node", "charges[3].charge", "--json").stdout)
    assert node["path"] == "charges[3].charge" and node["input"] == node["output"] == {"n": 3}
    assert (
        "has begun no body 'charges[12]'; it has begun 12 of charges"
        in shell("show", "last", "--node", "charges[12]").stderr
    )
    assert "did you mean `charge`?" in shell("show", "last", "--node", "charges[3].charg").stderr


def test_show_tells_what_is_under_way_in_bodies_and_how_far_blocks_are(shell: Shell) -> None:
    shell.write("nested.yaml", NESTED)
    process = shell.start("run", "nested.yaml")
    said = read_until(process, "outer[1].inner[1].say")
    assert "outer[0].inner[1].say" in said
    shown = shell("show", "last").stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert any(line.startswith("▸ outer") and line.endswith("forEach 0/2, 2 at once") for line in lines), shown
    assert any(line.startswith("▸ outer[0].inner ") and line.endswith("parallel 1/2, open: gate") for line in lines)
    assert any(line.startswith("▸ outer[1].inner[0].go ") and line.endswith("gate, running") for line in lines)
    assert "outer[].inner: 2 completed, 2 open" in shown
    told = json.loads(shell("show", "last", "--json").stdout)
    assert set(told["openBodies"]) == {"outer[0]", "outer[1]", "outer[0].inner[0]", "outer[1].inner[0]"}
    assert told["openBodies"]["outer[0].inner[0]"]["outer[0].inner[0].go"]["status"] == "running"
    assert told["nodes"]["outer"]["bodies"] == {"begun": 2, "open": 2, "completed": 0, "failed": 0, "total": 2}
    open_one = shell("show", "last", "--node", "outer[1].inner[0]").stdout
    assert open_one.startswith("▸ outer[1].inner[0] is running")
    (shell.folder / "open").touch()
    assert process.wait(20) == 0


def test_events_name_bodies_and_can_be_those_of_one(shell: Shell) -> None:
    _loop(shell)("run", "loop.yaml")
    events = [line.split(maxsplit=2)[2] for line in shell("events", "last").stdout.splitlines()]
    words = [" ".join(line.split()) for line in events]
    assert "BlockStarted charges items=12: [0,1,2,3,4,5,6,7,8,9,10,11]" in words
    assert "ScopeStarted charges[0]" in words and "ScopeEnded charges[0] status=completed" in words
    assert "ScopeEnded charges[4] status=failed error=ValueError: card 4 refused" in words
    of_one = [line.split()[2:4] for line in shell("events", "last", "--path", "charges[1]").stdout.splitlines()]
    assert of_one[0] == ["ScopeStarted", "charges[1]"] and of_one[-1] == ["ScopeEnded", "charges[1]"]
    assert {path for _, path in of_one} == {"charges[1]", "charges[1].charge", "charges[1].note"}
    told = [
        json.loads(line) for line in shell("events", "last", "--path", "charges[4].note", "--json").stdout.splitlines()
    ]
    assert [(one["event"], [skip["path"] for skip in one["skips"]]) for one in told] == [
        ("NodesSkipped", ["charges[4].note"])
    ]
    nothing = shell("events", "last", "--path", "nope")
    assert nothing.stdout == "" and nothing.stderr == "no event is about 'nope'\n"


def test_a_run_that_goes_on_does_not_tell_again_what_ended_in_bodies_before(shell: Shell) -> None:
    shell.write("nested.yaml", NESTED)
    process = shell.start("run", "nested.yaml")
    read_until(process, "outer[1].inner[1].say")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 5
    (shell.folder / "open").touch()
    resumed = shell("run", "--resume", "last")
    assert resumed.returncode == 0, resumed.stderr
    assert "].say" not in resumed.stdout
    assert "✓ outer[0].inner[0].go" in resumed.stdout and "✓ outer[1].inner[0].go" in resumed.stdout
