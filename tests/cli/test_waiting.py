"""Instances that wait for somebody: what is said of it, how it is sent, and who may send."""

from __future__ import annotations

import asyncio
import json

import pytest

import mainspring as ms
from tests.cli.shell import Shell, read_until

BUY = """
    id: buy
    nodes:
      - {id: manager, type: wait, config: {approval: manager}, timeout: 2d}
      - {id: pay, type: subflow, config: {workflow: payment}}
      - {id: no, type: log}
    connections:
      - {source: manager, target: pay, sourcePort: approved}
      - {source: manager, target: no, sourcePort: rejected}
    """
PAYMENT = """
    id: payment
    nodes:
      - {id: paid, type: wait, config: {signal: paid, schema: {type: object, required: [amount]}}}
    """


@pytest.fixture
def buying(shell: Shell) -> Shell:
    shell.write("buy.yaml", BUY)
    shell.write("payment.yaml", PAYMENT)
    return shell


def test_from_the_wait_to_the_end(buying: Shell) -> None:
    waits = buying("run", "buy.yaml", "--key", "1")
    assert waits.returncode == 5
    assert "manager waits for the approval manager" in waits.stderr
    assert "mainspring approve buy:1 manager" in waits.stderr
    shown = buying("show", "buy").stdout
    assert "manager waits for the approval manager, until" in shown
    approved = buying("approve", "last", "--comment", "as agreed", "--by", "ada")
    assert approved.returncode == 0
    assert "buy:1: manager is approved; manager takes it" in approved.stdout
    on = buying("run", "--resume", "last")
    assert on.returncode == 5
    assert "paid of buy:1/pay/1 waits for the signal paid" in on.stderr
    sent = buying("signal", "buy:1/pay/1", "paid", "amount=30", "from.name=Ada")
    assert "run --resume buy:1\n" in sent.stdout, "it is the parent that one goes on with"
    done = buying("run", "--resume", "buy", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["output"] == {"pay": {"amount": 30, "from": {"name": "Ada"}}}
    assert told["nodes"]["manager"]["output"] == {"approved": True, "comment": "as agreed", "by": "ada"}
    assert (told["parent"], told["children"]) == (None, ["buy:1/pay/1"])


def test_parents_and_children_are_named(buying: Shell) -> None:
    buying("run", "buy.yaml", "--key", "1")
    buying("approve", "last")
    buying("run", "--resume", "last")
    assert "children  buy:1/pay/1" in buying("show", "last").stdout
    assert "child of  buy:1" in buying("show", "buy:1/pay/1").stdout
    listed = json.loads(buying("list", "--json").stdout)
    assert {one["id"]: one["parent"] for one in listed} == {"buy:1": None, "buy:1/pay/1": "buy:1"}
    assert "manager waits" not in buying("show", "last").stdout


def test_rejected(buying: Shell) -> None:
    buying("run", "buy.yaml")
    assert buying("reject", "last", "manager").returncode == 0
    done = buying("run", "--resume", "last", "--json")
    assert json.loads(done.stdout)["nodes"]["no"]["status"] == "completed"


def test_what_is_refused_before_it_is_sent(buying: Shell) -> None:
    buying("run", "payment.yaml", "--key", "1")
    for words, reason in (
        (("signal", "last", "pait"), "did you mean `paid`?"),
        (("signal", "last", "paid", "n=1"), '"amount" is a required property'),
        (("approve", "last"), "waits for no approval now"),
        (("approve", "last", "manager"), "nothing in payment waits for the approval manager"),
        (("signal", "nobody", "paid"), "no instance 'nobody'"),
        (("signal", "last", "paid", "amount"), "neither k=v"),
    ):
        refused = buying(*words)
        assert (refused.returncode, refused.stdout) == (2, ""), words
        assert reason in refused.stderr
    assert "Signal" not in buying("events", "last").stdout
    buying("cancel", "last")
    assert "at its end" in buying("signal", "last", "paid", "amount=1").stderr


def test_what_nobody_waits_for_yet_is_kept(shell: Shell) -> None:
    shell.write(
        "two.yaml",
        """
        id: two
        nodes:
          - {id: first, type: wait, config: {signal: first}}
          - {id: second, type: wait, config: {signal: second}, dependsOn: [first]}
        """,
    )
    shell("run", "two.yaml", "--key", "1")
    kept = shell("signal", "last", "second", "n=2", "--json")
    assert json.loads(kept.stdout) == {"id": "two:1", "kind": "signal", "name": "second", "node": None}
    shell("signal", "last", "first")
    done = shell("run", "--resume", "last", "--quiet")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"n": 2})


def test_where_another_engine_holds_the_store_it_is_told(shell: Shell) -> None:
    shell.write("x.yaml", "id: x\nnodes: [{id: w, type: wait, config: {signal: go}}]\n")
    shell("run", "x.yaml", "--key", "1")
    process = shell.start("run", "gated.yaml", "--key", "1")
    read_until(process, "at the gate")
    assert shell("signal", "x:1", "go", "n=3").returncode == 0
    process.kill()
    process.communicate()
    done = shell("run", "--resume", "x:1", "--quiet")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"n": 3})


def test_a_short_patience_is_waited_out(shell: Shell) -> None:
    shell.write("short.yaml", "id: short\nnodes: [{id: w, type: wait, timeout: 300ms, config: {signal: go}}]\n")
    done = shell("run", "short.yaml")
    assert done.returncode == 1
    assert "NodeTimeout" in done.stdout


def test_a_child_that_is_not_there(shell: Shell) -> None:
    shell.write("parent.yaml", "id: parent\nnodes: [{id: s, type: subflow, config: {workflow: kid}}]\n")
    told = shell("validate", "parent.yaml")
    assert told.returncode == 0
    assert "warning MS281: no workflow `kid` is known" in told.stderr
    refused = shell("run", "parent.yaml")
    assert refused.returncode == 2
    assert "no workflow `kid` is known" in refused.stderr
    shell.write("kid.yaml", "id: kid\nnodes: [{id: t, type: log}]\n")
    assert shell("validate", "parent.yaml").stderr == ""
    assert shell("run", "parent.yaml").returncode == 0
    shell.write("kid.yaml", "id: kid\nnodes: [{id: t, type: transform, config: {output: newer}}]\n")
    assert json.loads(shell("run", "parent.yaml", "--quiet").stdout) == "newer"


def test_cancelling_a_parent_ends_its_children_and_runs_nothing(shell: Shell) -> None:
    shell.write("top.yaml", "id: top\nnodes: [{id: m, type: subflow, config: {workflow: mid}}]\n")
    shell.write(
        "mid.yaml",
        """
        id: mid
        nodes:
          - {id: w, type: wait, config: {signal: go}}
          - {id: s, type: subflow, config: {workflow: leaf}}
          - {id: free, type: subflow, config: {workflow: leaf, wait: false}}
        """,
    )
    shell.write("leaf.yaml", "id: leaf\nnodes: [{id: w, type: wait, config: {signal: go}}]\n")
    assert shell("run", "top.yaml", "--key", "1").returncode == 5
    done = shell("cancel", "top:1", "--reason", "enough")
    assert (done.returncode, "cancelled" in done.stdout) == (0, True)
    listed = {one["id"]: one["status"] for one in json.loads(shell("list", "--json").stdout)}
    assert listed == {
        "top:1": "cancelled",
        "top:1/m/1": "cancelled",
        "top:1/m/1/s/1": "cancelled",
        "top:1/m/1/free/1": "running",
    }


async def test_one_that_sleeps_is_told_of_too(buying: Shell) -> None:
    url = f"sqlite:///{buying.folder}/store.db"
    async with ms.Engine(url, settings=ms.EngineSettings(sleep_after_ms=20)) as engine:
        flow = ms.load(buying.folder / "buy.yaml")
        run = await engine.start(flow, key="1")
        await run.approve("manager", True)
        while (found := await engine._store.find("buy:1/pay/1")) is None or found.owner:
            await asyncio.sleep(0.005)
        while engine.host.lives:
            await asyncio.sleep(0.005)
    waits = await asyncio.to_thread(buying, "run", "--resume", "buy:1", "--store", url)
    assert waits.returncode == 5
    assert "paid of buy:1/pay/1 waits for the signal paid" in waits.stderr


def test_a_child_whose_code_is_gone(shell: Shell) -> None:
    shell.write("gone.py", "import mainspring as ms\n@ms.task\nasync def f():\n    return 1\n")
    shell.write("parent.yaml", "id: parent\nnodes: [{id: s, type: subflow, config: {workflow: kid}}]\n")
    shell.write(
        "kid.yaml",
        """
        id: kid
        nodes:
          - {id: w, type: wait, config: {signal: go}}
          - {id: f, type: function, config: {handler: "gone:f"}, dependsOn: [w]}
        """,
    )
    assert shell("run", "parent.yaml", "--key", "1").returncode == 5
    (shell.folder / "gone.py").unlink()
    shell("signal", "parent:1/s/1", "go")
    stuck = shell("run", "--resume", "parent:1")
    assert stuck.returncode == 5
    assert "parent:1 waits for code" in stuck.stderr
    assert "f of parent:1/s/1: " in stuck.stderr
    shell.write("gone.py", "import mainspring as ms\n@ms.task\nasync def f():\n    return 1\n")
    assert shell("run", "--resume", "parent:1", "--quiet").stdout == "1\n"
