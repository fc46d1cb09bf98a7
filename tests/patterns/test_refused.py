"""What no run could decide is refused before it begins, with what to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest

import mainspring as ms

REFUSED = {
    "10: an arbitrary cycle": (
        """
        nodes: [{id: write, type: log}, {id: check, type: log}, {id: mend, type: log}]
        connections:
          - {source: write, target: check}
          - {source: check, target: mend}
          - {source: mend, target: check}
        """,
        r"MS209 .*cycle: check -> mend -> check; .* is the body of a node: a `while`, an `until` or a `forEach`",
    ),
    "3 after 8: a synchronization of what comes more than once": (
        """
        nodes:
          - {id: roof, type: log}
          - {id: walls, type: log}
          - {id: inspect, type: log, join: each, dependsOn: [roof, walls]}
          - {id: sell, type: log, dependsOn: [inspect, roof]}
        """,
        r"MS223 .*`sell` joins several connections, and `inspect` before it can run more than once; use forEach",
    ),
    "30: more than can come": (
        """
        nodes:
          - {id: ada, type: log}
          - {id: bob, type: log}
          - {id: carried, type: log, join: {n: 3}, dependsOn: [ada, bob]}
        """,
        r"MS218 .*waits for 3 messages, but only 2 can come",
    ),
    "29: nobody is left to be cancelled": (
        """
        nodes:
          - {id: ada, type: log}
          - {id: bob, type: log}
          - {id: both, type: log, join: {all: true, cancelOthers: true}, dependsOn: [ada, bob]}
        """,
        r"MS226 .*nothing is left to cancel",
    ),
    "33: ports that nothing leads to": (
        """
        nodes: [{id: wood, type: log}, {id: assemble, type: log, join: ports, dependsOn: [wood]}]
        """,
        r"MS227 .*none of its connections has a target port",
    ),
    "18: a milestone that waits for itself": (
        """
        nodes:
          - {id: still, type: milestone, config: {after: pack}}
          - {id: pack, type: log}
        connections: [{source: still, target: pack, sourcePort: open}]
        """,
        r"MS267 .*waits for itself: still -> pack -> still",
    ),
    "19: a task that is not there": (
        """
        nodes: [{id: paid, type: log}, {id: stop, type: cancel, config: {nodes: [reminder]}, dependsOn: [paid]}]
        """,
        r"MS266 .*`stop` stops `reminder`, which is no node",
    ),
    "25: a region within another scope": (
        """
        nodes:
          - {id: tests, type: forEach, config: {items: 2, body: {nodes: [{id: test, type: log}]}}}
          - {id: stop, type: cancel, config: {nodes: [test]}}
        """,
        r"MS266 .*`stop` stops `test`, which is no node",
    ),
    "34: more than there are": (
        """
        nodes: [{id: votes, type: forEach, config: {items: 2, succeedAt: 3, body: {nodes: [{id: vote, type: log}]}}}]
        """,
        r"MS219 .*`succeedAt` is 3, and there are only 2 items",
    ),
    "16: a wait for two kinds of thing": (
        """
        nodes: [{id: answer, type: wait, config: {signal: accepted, event: declined}}]
        """,
        r"MS261 .*waits for one of them only",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str, tmp_path: Path) -> None:
    text, told = REFUSED[what]
    file = tmp_path / "refused.yaml"
    file.write_text("id: refused\n" + "\n".join(line[8:] for line in text.strip("\n").splitlines()))
    with pytest.raises(ms.DefinitionError, match=told):
        ms.load(file)
