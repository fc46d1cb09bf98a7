"""What `show` says of bodies: how many of each block came to which end, and where to look into one."""

from __future__ import annotations

from mainspring.cli import places
from mainspring.cli.body_history import Fates
from mainspring.cli.look import Screen
from mainspring.cli.words import clean
from mainspring.engine.result import InstanceResult

BLOCKS_MAX = 12


def show_bodies(screen: Screen, result: InstanceResult, fates: dict[str, Fates] | None, store: str, *more: str) -> None:
    """A line for each block that has begun any; then how to look into one: the first that failed, else the first.

    `more` are words that the command for that needs."""
    if fates is None:
        lines = [f"{clean(path)}: {number:,} begun" for path, number in _begun(result)]
        words, what = ["--bodies"], "what became of them"
    else:
        lines = [f"{clean(place)}: {in_words(one)}" for place, one in fates.items()]
        failed = [address for one in fates.values() for address, _ in one.errors]
        first = failed[0] if failed else f"{next(iter(fates))}[0]"
        words, what = ["--node", first], "one that failed" if failed else "one of them"
    for number, line in enumerate(lines[:BLOCKS_MAX]):
        screen.line(f"  {'' if number else 'bodies':<8}  {line}")
    if len(lines) > BLOCKS_MAX:
        screen.line(f"            … and those of {len(lines) - BLOCKS_MAX:,} more blocks: --json")
    command = places.command("show", result.id, *words, *more, store=store)
    screen.line(screen.paint(f"            {what}: {command}", "dim"))


def _begun(result: InstanceResult) -> list[tuple[str, int]]:
    blocks = ((path, node.bodies) for path, node in result.nodes.items())
    return [(path, bodies.begun) for path, bodies in blocks if bodies is not None]


def in_words(fates: Fates) -> str:
    """`56 completed, 4 failed, 5 open`."""
    counts = {
        "completed": fates.completed,
        "failed": fates.failed,
        "stopped": fates.stopped,
        "open": fates.open,
    }
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
