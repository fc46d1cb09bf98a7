"""Putting a signal or an approval into an instance's inbox, for the commands that do."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from msgspec import Raw

from mainspring.cli import places, preparing, reading
from mainspring.cli.awaited import Wait, waits_of
from mainspring.cli.operating import operate, user
from mainspring.definition.findings import did_you_mean
from mainspring.engine.result import InstanceResult
from mainspring.errors import CommandRefused
from mainspring.graph.plan_waits import all_nodes, may_take
from mainspring.journal.payload import encode_payload
from mainspring.machine.nodes.wait import accepts
from mainspring.messaging.control import Approve, Signal


class Sent(NamedTuple):
    """What was sent to whom, and the node that takes it ("" where it is kept for one that waits later). `root` is the
    instance to go on with: its own, or that which it is a child of."""

    id: str
    root: str
    name: str
    path: str


async def send(url: str, wanted: str, kind: str, name: str | None, payload: Any, by: str) -> Sent:
    """Post it. The engine that runs the instance has it take it; where none does, nothing is run for that.

    Raises CommandRefused where nothing in the workflow waits for it, or what waits refuses the payload; StoreHeld.
    """
    async with reading.opened(url) as store:
        record = await places.resolve(store, wanted)
        result = await reading.state(store, record.id)
        root = await places.root_of(store, record)
    if not record.open:
        raise CommandRefused(f"{record.id} is {record.status}: it is at its end")
    waits = [wait for wait in waits_of(result.instance) if wait.kind == kind]
    name = name or _only(waits, record.id, kind)
    raw = encode_payload(payload, "payload")
    path = _taker(result, waits, kind, name, raw)
    operation: Signal | Approve = Signal(record.id, name, Raw(raw), by)
    if kind == "approval":
        operation = Approve(record.id, name, payload["approved"], payload["comment"], by)
    await operate(url, operation)
    return Sent(record.id, root, name, path)


def _only(waits: list[Wait], id: str, kind: str) -> str:
    if len(waits) == 1 and len(waits[0].names) == 1:
        return waits[0].names[0]
    if not waits:
        raise CommandRefused(f"{id} waits for no {kind} now: give its NAME, and it is kept for a node that waits later")
    names = ", ".join(name for wait in waits for name in wait.names)
    raise CommandRefused(f"{id} waits for several: {names}; give the NAME of one")


def _taker(result: InstanceResult, waits: list[Wait], kind: str, name: str, payload: bytes) -> str:
    """The node that takes it, as things stand."""
    plan = result.instance.plan
    suiting = [wait for wait in waits if name in wait.names]
    for wait in suiting:
        if accepts(result.instance.locate(wait.path)[1], payload):
            return wait.path
    if suiting:
        check = result.instance.locate(suiting[0].path)[1].told.check
        why = "; ".join(check(payload)) if check is not None else "it is no object"
        raise CommandRefused(f"{suiting[0].path} waits for the {kind} {name}, and does not take this: {why}")
    if not may_take(plan.workflow.nodes, kind, name):
        known = [
            str(one)
            for node in all_nodes(plan.workflow.nodes)
            if node.type == "wait" and kind in node.config
            for one in (node.config[kind] if isinstance(node.config[kind], list) else [node.config[kind]])
        ]
        hint = did_you_mean(name, known) or (f"it waits for {', '.join(known)}" if known else "")
        raise CommandRefused(f"nothing in {plan.workflow.id} waits for the {kind} {name}{f'; {hint}' if hint else ''}")
    keeps = plan.keeps.get(kind, frozenset[str]())
    if keeps is not None and name not in keeps:
        raise CommandRefused(f"nothing waits for the {kind} {name} now, and it is not kept (transient)")
    return ""


def told(sent: Sent, kind: str, what: str, url: str, as_json: bool) -> None:
    """What became of it, and how to go on."""
    from mainspring.cli import look
    from mainspring.cli.words import clean

    if as_json:
        import json

        print(json.dumps({"id": sent.id, "kind": kind, "name": sent.name, "node": sent.path or None}))
        return
    screen = look.out()
    takes = f"{sent.path} takes it" if sent.path else "nothing waits for it yet, and it is kept"
    screen.line(f"{screen.symbol('completed')} {clean(sent.id)}: {what}; {clean(takes)}")
    go_on = places.command("run", "--resume", sent.root, store=url)
    screen.line(screen.paint(f"  to go on, where nothing runs it now: {go_on}", "dim"))


def decide(
    approved: bool, id: str, name: str | None, comment: str, store: str | None, by: str | None, as_json: bool
) -> None:
    """Answer an approval that is waited for, and say so."""
    url = places.store_url(store)
    with preparing.log_lines():
        who = user() if by is None else by
        payload = {"approved": approved, "comment": comment, "by": who}
        sent = asyncio.run(send(url, id, "approval", name, payload, who))
    told(sent, "approval", f"{sent.name} is {'approved' if approved else 'rejected'}", url, as_json)
