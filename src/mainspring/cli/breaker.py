"""`mainspring breaker`: the circuit breakers of a store, and the emergency switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.engine.breakers import BreakerStanding
    from mainspring.limits.breaker import Kept

STYLES = {"closed": "green", "open": "red", "forced_open": "red", "half_open": "yellow", "recovering": "yellow"}

_where = click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
_why = click.option("--reason", default="", help="Why; whoever is refused is told.")
_who = click.option("--by", help="Who decides. [default: your login name]")


@click.group("breaker", short_help="Look at circuit breakers; open and close them by hand.")
def command() -> None:
    """Look at circuit breakers; open and close them by hand.

    \b
    mainspring breaker list
    """


@command.command("list", short_help="Which circuit breakers there are, and how they stand.")
@_where
@click.option("--json", "as_json", is_flag=True, help="A list on stdout.")
def show_all(store: str | None, as_json: bool) -> int:
    """Which circuit breakers there are, and how they stand.

    \b
    mainspring breaker list
    """
    import asyncio

    url = places.store_url(store)
    found = asyncio.run(_read(url))
    if as_json:
        import json

        print(json.dumps([as_data(target, kept) for target, kept in found.items()], ensure_ascii=False))
    else:
        _show(found, url)
    return exits.COMPLETED


@command.command("open", short_help="Have a target no longer called, until it is closed by hand.")
@click.argument("target")
@_where
@_why
@_who
@click.option("--json", "as_json", is_flag=True, help="How it stands then, as JSON.")
def force_open(target: str, store: str | None, reason: str, by: str | None, as_json: bool) -> int:
    """Have a target no longer called, until it is closed by hand. Its nodes fail with CircuitOpen, or fall back.

    TARGET is what `circuitBreaker.target` says, or `NODE of WORKFLOW` where it says nothing.

    \b
    mainspring breaker open payments --reason "they migrate until noon"
    """
    return _switch(target, store, reason, by, as_json, shut=False)


@command.command("close", short_help="Have a target called again.")
@click.argument("target")
@_where
@_why
@_who
@click.option("--json", "as_json", is_flag=True, help="How it stands then, as JSON.")
def close(target: str, store: str | None, reason: str, by: str | None, as_json: bool) -> int:
    """Have a target called again, whatever state its breaker is in. What it has counted is forgotten.

    \b
    mainspring breaker close payments
    """
    return _switch(target, store, reason, by, as_json, shut=True)


async def _read(url: str) -> dict[str, Kept]:
    from mainspring.cli.reading import opened
    from mainspring.engine.breakers import kept_in

    async with opened(url) as store:
        return kept_in(await store.kept_limits())


def as_data(target: str, kept: Kept) -> dict[str, Any]:
    """A breaker, for programs."""
    return {"target": target, "state": kept.state, "since": kept.since, "why": kept.why}


def _show(found: dict[str, Kept], url: str) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean, local, now_ms, one_line, relative
    from mainspring.engine.breakers import words

    screen = look.out()
    if not found:
        screen.line(f"no circuit breaker in {url} has counted a call yet")
        return
    now = now_ms()
    rows = [
        (
            (clean(target), ""),
            (words(kept.state), STYLES.get(kept.state, "dim")),
            (f"{local(kept.since)}, {relative(kept.since, now)}", ""),
            (one_line(kept.why, 60), "dim"),
        )
        for target, kept in found.items()
    ]
    look.table(screen, ("TARGET", "STATE", "SINCE", ""), rows)


def _switch(target: str, store: str | None, reason: str, by: str | None, as_json: bool, *, shut: bool) -> int:
    import asyncio

    from mainspring.cli import operating, preparing

    url = places.store_url(store)
    with preparing.log_lines():
        who = operating.user() if by is None else by
        stands = asyncio.run(_switched(url, target, who, reason, shut))
    if as_json:
        import json

        print(json.dumps({"target": target, "state": stands.state, "since": stands.since, "why": stands.why}))
        return exits.COMPLETED
    from mainspring.cli import look
    from mainspring.cli.words import clean

    screen = look.out()
    if shut:
        screen.line(f"the breaker of {clean(target)} is closed: it is called again")
    else:
        screen.line(f"the breaker of {clean(target)} is opened by hand: nobody calls it")
        screen.line(screen.paint(f"  to close it: {places.command('breaker', 'close', target, store=url)}", "dim"))
    return exits.COMPLETED


async def _switched(url: str, target: str, by: str, reason: str, shut: bool) -> BreakerStanding:
    import msgspec

    from mainspring.cli.operating import operate
    from mainspring.definition.findings import did_you_mean
    from mainspring.engine.breakers import BreakerStanding
    from mainspring.errors import CommandRefused
    from mainspring.messaging.control import SwitchBreaker

    known = await _read(url)
    if shut and target not in known:
        hint = did_you_mean(target, list(known))
        raise CommandRefused(f"there is no breaker of {target} in {url}{f'; {hint}' if hint else ''}")
    return msgspec.convert(await operate(url, SwitchBreaker(target, shut, by, reason)), BreakerStanding)
