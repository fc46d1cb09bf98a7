"""`--at`: which moment of an instance's journal is meant, and what is said of one that is looked back at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from datetime import datetime

    from mainspring.cli.look import Screen
    from mainspring.journal.looking_back import Following, Moment

HELP = "As it stood after row N (`5`), after an event of it (`5.0`), or at a time (`2026-11-21T10:00:00`)."

_PLACE = re.compile(r"(\d+)(?:\.(\d+))?")


class Then(NamedTuple):
    """The moment that is looked back at, when it was (UTC milliseconds), and what came after it."""

    moment: Moment
    at: int
    following: Following


def parsed(text: str) -> Moment | datetime:
    """What was said with `--at`. Raises UsageError."""
    from datetime import datetime

    from mainspring.journal.looking_back import Moment

    place = _PLACE.fullmatch(text.strip())
    if place is not None:
        return Moment(int(place[1]), None if place[2] is None else int(place[2]))
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except ValueError:
        raise click.UsageError(
            f"--at {text!r} is no moment: give a row (5), an event of one (5.0; both as `mainspring events` shows them),"
            " or a time (2026-11-21T10:00:00)"
        ) from None


def show(screen: Screen, then: Then) -> None:
    """That it is a look back, to when, and how much has happened since."""
    from mainspring.cli.words import local

    moment, of = then.moment, "" if then.moment.index is None else f"event {then.moment.index} of "
    screen.line(
        screen.paint(
            f"  looking back: after {of}row {moment.seq} ({local(then.at)}); {_since(then.following)}", "yellow"
        )
    )


def _since(following: Following) -> str:
    from mainspring.cli.words import count

    if not following.events:
        return "nothing has followed"
    follow = "follows" if following.events == 1 else "follow"
    return f"{count(following.events, 'event')} {follow}"


def as_json(then: Then) -> dict[str, Any]:
    """The same, as data."""
    from mainspring.cli.words import iso

    return {
        "row": then.moment.seq,
        "event": then.moment.index,
        "at": iso(then.at),
        "eventsFollowing": then.following.events,
        "rowsFollowing": then.following.rows,
    }
