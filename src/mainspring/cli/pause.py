"""`mainspring pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.cli.look import Screen
    from mainspring.engine.result import InstanceResult
    from mainspring.messaging.control import Pause, PauseAll

DRAINED_AT_ONCE_MS = 1_000
LOOKED_AT_SECONDS = 0.2
NAMED_MAX = 5


@click.command("pause", short_help="Have an instance start nothing new.")
@click.argument("id", required=False)
@click.option("--workflow", metavar="ID", help="All running instances of this workflow.")
@click.option("--all", "everything", is_flag=True, help="All running instances.")
@click.option("--for", "time", metavar="TIME", help="It goes on by itself after so long: 90s, 10m, 2h.")
@click.option("--clocks", type=click.Choice(["stop", "run"]), default="stop", help="Delays, retries, waits, timeouts.")
@click.option("--reason", default="", help="Why; it is kept in the journal, and shown.")
@click.option("--by", help="Who pauses it; it is kept in the journal. [default: your login name]")
@click.option("--no-wait", is_flag=True, help="Do not wait until what runs has finished.")
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
def command(
    id: str | None,
    workflow: str | None,
    everything: bool,
    time: str | None,
    clocks: str,
    reason: str,
    by: str | None,
    no_wait: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Have an instance, with the children that it waits for, start nothing new. What runs finishes; then it is paused.

    ID is an id, the beginning of one, or `last`. It may be running in another process: that one is told. Its clocks stop
    (delays, retries, waits and timeouts go on where they stood), or run on with `--clocks run`.

    \b
    mainspring pause order-7f3k --reason "the warehouse counts" --for 2h
    mainspring pause --workflow order
    """
    import asyncio

    from mainspring.cli import operating, preparing
    from mainspring.messaging.control import Pause, PauseAll

    if [id is not None, workflow is not None, everything].count(True) != 1:
        raise click.UsageError("give the ID of an instance, or --workflow ID, or --all")
    url, for_ms = places.store_url(store), milliseconds(time, "--for")
    who = operating.user() if by is None else by
    how: dict[str, Any] = {"by": who, "reason": reason, "stop_clocks": clocks == "stop", "for_ms": for_ms}
    with preparing.log_lines():
        if id is None:
            ids = asyncio.run(_pause_all(url, PauseAll(workflow, **how)))
            told_all(ids, "paused: nothing new starts there", "pausing", as_json)
            return exits.COMPLETED
        known = asyncio.run(operating.resolved(url, id)).id
        wait_ms = 0 if no_wait else DRAINED_AT_ONCE_MS
        status = asyncio.run(_pause(url, Pause(known, wait_ms=wait_ms, **how), not no_wait, as_json))
    _told(known, status, url, as_json)
    return exits.COMPLETED


def milliseconds(time: str | None, option: str) -> int | None:
    """What a time says. Raises UsageError where it is none."""
    from mainspring.definition.durations import parse_duration

    if time is None:
        return None
    found = parse_duration(time)
    if found is None or found <= 0:
        raise click.UsageError(f"{option} takes a time, as 90s, 10m or 2h; not {time!r}")
    return found


async def _pause(url: str, wanted: Pause, wait: bool, as_json: bool) -> str:
    from mainspring.cli.operating import operate

    # One that nobody runs is taken for this: the wish comes before anything that it would go on with.
    status: str = (await operate(url, wanted, {wanted.id}, children=True))["status"]
    return await _until_drained(url, wanted.id, as_json) if wait and status == "pausing" else status


async def _pause_all(url: str, wanted: PauseAll) -> list[str]:
    from mainspring.cli.operating import operate
    from mainspring.cli.reading import opened

    ids: set[str] = set()
    async with opened(url) as store:
        before: int | None = None
        while page := await store.instances(status="running", workflow=wanted.workflow, before=before):
            ids.update(record.id for record in page)
            before = page[-1].number

    async def each(engine: Any) -> dict[str, list[str]]:
        how = {"by": wanted.by, "reason": wanted.reason, "stop_clocks": wanted.stop_clocks, "for_ms": wanted.for_ms}
        found = await engine.pause_all(wanted.workflow, **how)
        for id in found:
            await engine.standstill(id)
        return {"ids": found}

    found: list[str] = (await operate(url, wanted, ids, children=True, alone=each))["ids"]
    return found


async def _until_drained(url: str, id: str, as_json: bool) -> str:
    """Look until nothing runs any more, and say for what we wait."""
    import asyncio

    from mainspring.cli import look, reading

    screen, told = look.err(), ""
    while True:
        record, result = await reading.instance(url, id)
        if record.status != "pausing" or result is None:
            return record.status
        now = _still_runs(result)
        if now != told and not as_json:
            screen.line(screen.paint(f"pausing: {now}", "dim"))
            told = now
        await asyncio.sleep(LOOKED_AT_SECONDS)


def _still_runs(result: InstanceResult) -> str:
    from mainspring.cli.words import clean

    running = [path for path, node in result.nodes.items() if node.status == "running"]
    named = ", ".join(clean(path) for path in running[:NAMED_MAX])
    more = f" and {len(running) - NAMED_MAX:,} more" if len(running) > NAMED_MAX else ""
    return f"{named}{more} still {'runs' if len(running) == 1 else 'run'}" if running else "what runs finishes"


def _told(id: str, status: str, url: str, as_json: bool) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean

    if as_json:
        import json

        print(json.dumps({"id": id, "status": status}))
        return
    screen = look.out()
    words = {
        "paused": "is paused: nothing of it runs",
        "pausing": "is pausing: what runs finishes, nothing new starts",
        "running": "has been told to pause",
    }
    screen.line(f"{screen.symbol(status)} {clean(id)} {words.get(status, f'is {status}')}")
    if status in words:
        screen.line(screen.paint(f"  to go on: {places.command('resume', id, store=url)}", "dim"))


def told_all(ids: list[str], what: str, symbol: str, as_json: bool) -> None:
    """How many instances were told something, and which."""
    from mainspring.cli import look

    if as_json:
        import json

        print(json.dumps({"ids": ids}))
        return
    screen = look.out()
    noun = "instance is" if len(ids) == 1 else "instances are"
    screen.line(f"{screen.symbol(symbol)} {len(ids):,} {noun} {what}" if ids else "there is none that could be")
    _list(screen, ids)


def _list(screen: Screen, ids: list[str]) -> None:
    from mainspring.cli.words import clean

    for id in ids[:NAMED_MAX]:
        screen.line(f"  {clean(id)}")
    if len(ids) > NAMED_MAX:
        screen.line(f"  and {len(ids) - NAMED_MAX:,} more")
