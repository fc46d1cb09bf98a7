"""What an instance waits for that somebody must send, and how that is done."""

from __future__ import annotations

from typing import NamedTuple

from mainspring.cli import places
from mainspring.cli.look import Screen
from mainspring.cli.words import clean, local, now_ms, relative
from mainspring.engine.result import InstanceResult
from mainspring.machine.instance import Instance
from mainspring.machine.signals import KINDS

SHOWN_MAX = 10


class Wait(NamedTuple):
    """One node that waits for any of these. `until` is when its patience ends, in UTC milliseconds."""

    path: str
    kind: str
    names: tuple[str, ...]
    until: int | None


def waits_of(instance: Instance) -> list[Wait]:
    """All of them, in the order in which they began to wait; not those that wait for a child."""
    found = []
    for path, one in instance.waits.items():
        if one.kind in KINDS:
            scope, node = instance.locate(path)
            found.append(Wait(path, one.kind, one.names, scope.state(node).due))
    return found


def show(screen: Screen, result: InstanceResult, store: str, past: bool = False) -> None:
    """A line for each, with the command that sends it (not where it is `past`)."""
    now = now_ms()
    waits = waits_of(result.instance)
    for wait in waits[:SHOWN_MAX]:
        names = " or ".join(clean(name) for name in wait.names)
        until = "" if wait.until is None else f", until {local(wait.until)} ({relative(wait.until, now)})"
        screen.line(f"  {clean(wait.path)} waits for the {wait.kind} {names}{until}")
        if not past:
            screen.line(screen.paint(f"    {how(wait, result.id, store)}", "dim"))
    if len(waits) > SHOWN_MAX:
        screen.line(f"  … {len(waits) - SHOWN_MAX:,} more wait")


def how(wait: Wait, id: str, store: str) -> str:
    """The command line that sends it. Events go to many, and are sent by a program."""
    name = wait.names[0]
    if wait.kind == "approval":
        return places.command("approve", id, name, store=store)
    if wait.kind == "signal":
        return places.command("signal", id, name, store=store)
    return f"sent by a program: await engine.publish({name!r}, …)"
