"""What could not be undone is seen, and is undone by hand."""

from __future__ import annotations

import json

from tests.cli.shell import Shell

TASKS = """
import os, pathlib
import mainspring as ms

@ms.task
def book(name):
    return {"ref": name}

@ms.task
def unbook(ctx: ms.TaskContext):
    if ctx.input["ref"] == "hotel" and not os.path.exists("open"):
        raise RuntimeError("the hotel is closed")
    with open("undone.log", "a") as log:
        log.write(ctx.idempotency_key.partition("/")[2] + "\\n")

@ms.task
def refuse():
    raise ValueError("no money")
"""
TRIP = """
id: trip
nodes:
  - {id: flight, type: function, config: {handler: "undoing:book"}, input: {name: flight}, compensationNodeId: unbook}
  - {id: hotel, type: function, config: {handler: "undoing:book"}, input: {name: hotel}, compensationNodeId: unbook,
     dependsOn: [flight]}
  - {id: pay, type: function, config: {handler: "undoing:refuse"}, dependsOn: [hotel]}
  - {id: unbook, type: function, config: {handler: "undoing:unbook"}}
"""


def test_what_was_left_is_shown_and_undone_by_hand(shell: Shell) -> None:
    shell.write("undoing.py", TASKS)
    shell.write("trip.yaml", TRIP)
    done = shell("run", "trip.yaml")
    assert done.returncode == 1
    assert "1 unhandled failure; undone: 1 of 2 runs; not undone: hotel" in done.stdout
    seen = shell("show", "last").stdout
    assert "undone    1 of 2 runs, 1 could not be" in seen
    assert "hotel: RuntimeError: the hotel is closed" in seen
    assert "to try these again: mainspring compensate" in seen
    told = json.loads(shell("show", "last", "--json").stdout)["compensation"]
    assert (told["total"], told["undone"], told["untried"], told["over"]) == (2, 1, 0, True)
    assert [(one["path"], one["run"]) for one in told["left"]] == [("hotel", 1)]

    again = shell("compensate", "last")
    assert again.returncode == 1
    assert "not undone: hotel" in again.stdout
    (shell.folder / "open").touch()
    by_hand = shell("compensate", "last", "--json")
    assert by_hand.returncode == 1
    assert json.loads(by_hand.stdout)["reason"] == "1 unhandled failure; undone: 2 of 2 runs"
    assert (shell.folder / "undone.log").read_text().split() == ["flight/1:undo", "hotel/1:undo"]

    refused = shell("compensate", "last")
    assert refused.returncode == 2
    assert "nothing is left to be undone" in refused.stderr


def test_an_instance_that_undid_nothing_is_refused(shell: Shell) -> None:
    shell.write("one.yaml", "id: one\nnodes: [{id: a, type: log}]\n")
    shell("run", "one.yaml")
    refused = shell("compensate", "last")
    assert refused.returncode == 2
    assert "is completed, and nothing was to be undone" in refused.stderr
