"""What the commands share that do something to a single node: `retry`, `skip`, `complete`, `rerun`, `set`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.cli.look import Screen
    from mainspring.messaging.control import ByHand


class How(NamedTuple):
    """What the options say that all of them have."""

    store: str | None
    by: str | None
    reason: str
    dry_run: bool
    as_json: bool


def options(command: Callable[..., int]) -> Callable[..., int]:
    """The options that all of them have; the command gets them as `how`."""

    @wraps(command)
    def packed(*, store: str | None, by: str | None, reason: str, dry_run: bool, as_json: bool, **more: Any) -> int:
        return command(how=How(store, by, reason, dry_run, as_json), **more)

    for option in (
        click.option("--json", "as_json", is_flag=True, help="What it leads to, as JSON."),
        click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]"),
        click.option("--by", help="Who does it; it is kept in the journal. [default: your login name]"),
        click.option("--reason", default="", help="Why; it is kept in the journal."),
        click.option("--dry-run", is_flag=True, help="Say what would happen. Nothing does."),
    ):
        packed = option(packed)
    return packed


def carried_out(id: str, how: How, make: Callable[..., ByHand], done: str) -> int:
    """Have it done, or tried dry, and say what it leads to. `make` gets the instance's full id, and who does it and why."""
    import asyncio

    from mainspring.cli import operating, preparing

    url, who = places.store_url(how.store), operating.user() if how.by is None else how.by
    with preparing.log_lines():
        known = asyncio.run(operating.resolved(url, id)).id
        order = make(known, by=who, reason=how.reason, dry_run=how.dry_run)
        told = asyncio.run(operating.operate(url, order))
    if how.as_json:
        _print(told, order.dry_run)
    else:
        from mainspring.cli import look

        _show(look.out(), told, order.dry_run, done, url)
    return exits.COMPLETED


def _print(told: dict[str, Any], dry: bool) -> None:
    import json

    from mainspring.cli import event_lines

    events = [json.loads(event_lines.as_json(one)) for one in _recorded(told)]
    for one in events:
        for name in ("seq", "index", "at"):
            del one[name]
    print(json.dumps({**told, "dryRun": dry, "events": events}, ensure_ascii=False))


def _show(screen: Screen, told: dict[str, Any], dry: bool, done: str, url: str) -> None:
    from mainspring.cli import event_lines
    from mainspring.cli.words import clean

    id, status = clean(told["id"]), told["status"].replace("_", " ")
    if dry:
        screen.line(f"{screen.symbol('waiting')} {id}: this would happen, and nothing has:")
    else:
        screen.line(f"{screen.symbol('completed')} {id}: {done}")
    for one in _recorded(told):
        screen.line(f"  {event_lines.of_event(screen, one.event)}")
    for title, key in (("starts", "starts"), ("stops", "stops"), ("asks for its limits", "waits")):
        if told[key]:
            screen.line(f"  {title}: {', '.join(map(clean, told[key]))}")
    screen.line(f"  the instance {'would be' if dry else 'is then'} {status}")
    if not dry:
        go_on = places.command("run", "--resume", told["id"], store=url)
        screen.line(screen.paint(f"  to go on, where nothing runs it now: {go_on}", "dim"))


def _recorded(told: dict[str, Any]) -> list[Any]:
    import msgspec

    from mainspring.engine.result import Recorded
    from mainspring.machine.events import AnyEvent

    events = msgspec.json.decode(told["events"], type=list[AnyEvent])
    return [Recorded(0, index, 0, event) for index, event in enumerate(events)]
