"""What an instance undid and what it could not, in lines and as JSON."""

from __future__ import annotations

from typing import Any

from mainspring.cli import places
from mainspring.cli.look import Screen
from mainspring.cli.words import clean
from mainspring.engine.undone import Compensation, NotUndone

LEFT_SHOWN_MAX = 20
"""Of the runs that could not be undone, so many are shown; --json has them all."""


def show(screen: Screen, id: str, found: Compensation | None, url: str, past: bool = False) -> None:
    """How far it came, what is left, and how to have that undone (not where it is `past`)."""
    if found is None:
        return
    parts = [f"{found.undone:,} of {found.total:,} {'run' if found.total == 1 else 'runs'}"]
    if found.current is not None:
        parts.append(f"{clean(found.current)} now")
    if found.left:
        parts.append(f"{len(found.left):,} could not be")
    if found.untried:
        parts.append(f"{found.untried:,} not tried{'' if found.over else ' yet'}")
    screen.line(f"  undone    {', '.join(parts)}")
    for one in found.left[:LEFT_SHOWN_MAX]:
        screen.hanging(f"    {screen.symbol('compensation_failed')} {_name(one)}: ", clean(one.why), 8)
    if len(found.left) > LEFT_SHOWN_MAX:
        screen.line(f"    … and {len(found.left) - LEFT_SHOWN_MAX:,} more")
    if found.over and (found.left or found.untried) and url != "memory:" and not past:
        screen.line(f"    to try these again: {places.command('compensate', id, store=url)}")


def as_json(found: Compensation | None) -> dict[str, Any] | None:
    """The same, with all runs."""
    if found is None:
        return None
    return {
        "total": found.total,
        "undone": found.undone,
        "left": [{"path": one.path, "run": one.run, "why": one.why} for one in found.left],
        "untried": found.untried,
        "current": found.current,
        "over": found.over,
    }


def _name(one: NotUndone) -> str:
    return clean(one.path) if one.run == 1 else f"{clean(one.path)} (run {one.run})"
