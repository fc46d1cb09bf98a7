"""`mainspring deadletters`: what was given up, and what is to become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.engine.letters import Letter


STYLES = {"node": "red", "instance": "yellow", "child": "red", "outbox": "red"}

_where = click.option("--store", metavar="URL", help=f"Where they are. [default: {places.DEFAULT_STORE}]")


@click.group("deadletters", short_help="What was given up: look, put back to work, purge.")
def command() -> None:
    """What was given up: look, put back to work, purge.

    \b
    mainspring deadletters list
    """


@command.command("list", short_help="What was given up, the oldest first.")
@_where
@click.option("--json", "as_json", is_flag=True, help="A list on stdout.")
def show_all(store: str | None, as_json: bool) -> int:
    """What was given up and waits for somebody to decide about it, the oldest first; then the instances that are parked.

    \b
    mainspring deadletters list
    """
    import asyncio

    url = places.store_url(store)
    found = asyncio.run(_read(url))
    if as_json:
        import json

        print(json.dumps([as_data(one) for one in found], ensure_ascii=False))
    else:
        _show(found, url)
    return exits.COMPLETED


@command.command("show", short_help="One of them, with all that is known of it.")
@click.argument("id")
@_where
@click.option("--json", "as_json", is_flag=True, help="An object on stdout.")
def show_one(id: str, store: str | None, as_json: bool) -> int:
    """One of them, with all that is known of it. ID is as `list` has it, or the beginning of one.

    \b
    mainspring deadletters show order-7f3k
    """
    import asyncio

    url = places.store_url(store)
    letter = _only(asyncio.run(_read(url)), id, url)
    if as_json:
        import json

        print(json.dumps(as_data(letter), ensure_ascii=False))
    else:
        _tell(letter, url)
    return exits.COMPLETED


@command.command("requeue", short_help="Put one back to work.")
@click.argument("id")
@_where
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.option("--by", help="Who decides; it is kept in the journal. [default: your login name]")
@click.option("--json", "as_json", is_flag=True, help="What was put back, as JSON.")
def requeue(id: str, store: str | None, reason: str, by: str | None, as_json: bool) -> int:
    """Put one back to work. A node runs again in a new run, and so does what was skipped because it had failed; an instance
    that is parked is resumed; a message is sent again. Nothing is run here: an engine on the store does it.

    \b
    mainspring deadletters requeue order-7f3k --reason "the disk is larger now"
    """
    import asyncio

    from mainspring.cli import operating, preparing
    from mainspring.messaging.control import Requeue

    url = places.store_url(store)
    with preparing.log_lines():
        letter = _only(asyncio.run(_read(url)), id, url)
        who = operating.user() if by is None else by
        asyncio.run(operating.operate(url, Requeue(letter.id, who, reason)))
    if as_json:
        import json

        print(json.dumps({"requeued": letter.id, "instance": letter.instance}))
        return exits.COMPLETED
    from mainspring.cli import look
    from mainspring.cli.words import clean

    screen = look.out()
    screen.line(f"{screen.symbol('completed')} {clean(letter.id)} is put back to work")
    go_on = places.command("run", "--resume", letter.instance, store=url)
    screen.line(screen.paint(f"  to go on, where nothing runs it now: {go_on}", "dim"))
    return exits.COMPLETED


@command.command("purge", short_help="Lose some of them for good.")
@click.argument("ids", nargs=-1)
@_where
@click.option("--all", "everything", is_flag=True, help="All but parked instances, which are cancelled instead.")
@click.option("--json", "as_json", is_flag=True, help="How many there were, as JSON.")
def purge(ids: tuple[str, ...], store: str | None, everything: bool, as_json: bool) -> int:
    """Lose some of them for good: nobody will see to them. Their instances stay as they are.

    \b
    mainspring deadletters purge --all
    """
    import asyncio

    from mainspring.cli import operating, preparing
    from mainspring.messaging.control import Purge

    if bool(ids) == everything:
        raise click.UsageError("give the IDs of those to purge, or --all")
    url = places.store_url(store)
    with preparing.log_lines():
        letters = asyncio.run(_read(url))
        chosen = letters if everything else [_only(letters, id, url) for id in ids]
        _refuse_parked(chosen, everything, url)
        going = [one.id for one in chosen if one.kind != "instance"]
        count = asyncio.run(operating.operate(url, Purge(tuple(going))))["purged"] if going else 0
    if as_json:
        import json

        print(json.dumps({"purged": count}))
    else:
        from mainspring.cli import look

        look.out().line(f"{count} dead {'letter' if count == 1 else 'letters'} purged")
    return exits.COMPLETED


def _refuse_parked(chosen: list[Letter], everything: bool, url: str) -> None:
    from mainspring.errors import CommandRefused

    for one in chosen:
        if one.kind == "instance" and not everything:
            cancel = places.command("cancel", one.id, store=url)
            raise CommandRefused(f"{one.id} is a parked instance: it can be cancelled ({cancel}), not purged")


async def _read(url: str) -> list[Letter]:
    from mainspring.cli.reading import opened
    from mainspring.engine.letters import letters_in

    async with opened(url) as store:
        return await letters_in(store)


def _only(letters: list[Letter], wanted: str, url: str) -> Letter:
    """The one that an id means, or its beginning. Raises CommandRefused."""
    from mainspring.errors import CommandRefused

    found = [one for one in letters if one.id == wanted] or [one for one in letters if one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(one.id for one in found[:5])
        raise CommandRefused(f"{wanted!r} is the beginning of {len(found)} dead letters: {shown}")
    raise CommandRefused(
        f"there is no dead letter {wanted!r} in {url}. `mainspring deadletters list` shows those there are"
    )


def as_data(letter: Letter) -> dict[str, Any]:
    """A dead letter, for programs."""
    data: dict[str, Any] = {
        "id": letter.id,
        "kind": letter.kind,
        "instance": letter.instance,
        "reason": letter.reason,
        "at": letter.at,
    }
    if letter.kind == "node":
        data |= {"path": letter.path, "run": letter.run}
    elif letter.kind != "instance":
        data |= {"message": letter.path, "body": letter.body.decode("utf-8", "backslashreplace")}
    return data


def _show(found: list[Letter], url: str) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean, local, now_ms, one_line, relative

    screen = look.out()
    if not found:
        screen.line(f"no dead letters in {url}")
        return
    now = now_ms()
    rows = [
        (
            (clean(one.id), ""),
            (one.kind, STYLES.get(one.kind, "dim")),
            (f"{local(one.at)}, {relative(one.at, now)}", ""),
            (one_line(one.reason, 60), "dim"),
        )
        for one in found
    ]
    look.table(screen, ("ID", "KIND", "SINCE", ""), rows)


WHAT = {
    "node": "the node {path} (run {run}) of {instance} was given up",
    "instance": "the instance {instance} is parked",
    "child": "a child of {instance} could not be started",
    "outbox": "a message of {instance} ({path}) cannot be read",
}


def _tell(letter: Letter, url: str) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean, local, now_ms, relative

    screen = look.out()
    what = WHAT[letter.kind].format(path=letter.path, run=letter.run, instance=letter.instance)
    screen.line(f"{screen.paint(letter.kind, STYLES.get(letter.kind, 'dim'))}  {clean(what)}")
    screen.line(f"  since   {local(letter.at)}, {relative(letter.at, now_ms())}")
    screen.hanging("  reason  ", clean(letter.reason), 10)
    if letter.body:
        screen.hanging("  body    ", clean(letter.body.decode("utf-8", "backslashreplace")[:2_000]), 10)
    screen.line(screen.paint(f"  the instance:         {places.command('show', letter.instance, store=url)}", "dim"))
    again = places.command("deadletters", "requeue", letter.id, store=url)
    screen.line(screen.paint(f"  to put it back:       {again}", "dim"))
