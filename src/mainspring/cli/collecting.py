"""`mainspring gc`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.cli.look import Screen
    from mainspring.messaging.control import Collect

NAMED_MAX = 10

WHY = {
    "open": "not at their end",
    "young": "not old enough",
    "newest": "among the last of their workflow",
    "children": "with a child that is not at its end",
    "dead letters": "with dead letters (mainspring deadletters list)",
    "in use": "in use just now, or with something still to send",
}


@click.command("gc", short_help="Remove what has ended, by age and count.")
@click.option("--older-than", "age", metavar="TIME", help="What ended longer ago than this: 12h, 30d.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the last N of each workflow.")
@click.option("--workflow", metavar="ID", help="Of this workflow only.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--store", metavar="URL", help=f"Where they are. [default: {places.DEFAULT_STORE}]")
@click.option("--json", "as_json", is_flag=True, help="What was removed and what stays, as JSON.")
def command(
    age: str | None, keep: int | None, workflow: str | None, dry_run: bool, store: str | None, as_json: bool
) -> int:
    """Remove instances at their end, with their children and all that is kept of them, for good; the store becomes smaller.

    With --older-than and --keep, those go to which both apply. What is open, has a dead letter or an open child stays.
    It goes in small batches, beside what runs: an engine that holds the store does it itself.

    \b
    mainspring gc --older-than 30d --keep 1000
    mainspring gc --older-than 30d --dry-run
    """
    import asyncio

    from mainspring.cli import preparing
    from mainspring.messaging.control import Collect

    if age is None and keep is None:
        raise click.UsageError("say what may go: --older-than 30d, --keep 1000, or both")
    url = places.store_url(store)
    with preparing.log_lines():
        done = asyncio.run(_collect(url, Collect(_milliseconds(age), keep, workflow, dry_run)))
    if as_json:
        import json

        print(json.dumps(as_data(done), ensure_ascii=False))
    else:
        _tell(done)
    return exits.COMPLETED


def _milliseconds(age: str | None) -> int | None:
    from mainspring.definition.durations import parse_duration

    found = None if age is None else parse_duration(age)
    if age is not None and found is None:
        raise click.UsageError(f"--older-than takes a time, as 12h or 30d; not {age!r}")
    return found


async def _collect(url: str, order: Collect) -> dict[str, Any]:
    """All of it, in as many answers as it takes: none may be waited for too long."""
    from msgspec import to_builtins

    from mainspring.cli import operating
    from mainspring.cli.reading import opened

    async with opened(url):
        pass  # a store that is not there is not made for this

    async def alone(engine: Any) -> Any:
        rule = {"older_than_ms": order.older_than_ms, "keep": order.keep, "workflow": order.workflow}
        return to_builtins(await engine.gc(**rule, dry_run=order.dry_run))

    whole: dict[str, Any] = await operating.operate(url, order, alone=alone)
    while whole["more"] and not order.dry_run:
        part = await operating.operate(url, order, alone=alone)
        for workflow, count in part["workflows"].items():
            whole["workflows"][workflow] = whole["workflows"].get(workflow, 0) + count
        ids = [*whole["ids"], *part["ids"]]
        sums = {"removed": whole["removed"] + part["removed"], "bytes_before": whole["bytes_before"], "ids": ids}
        whole = {**part, **sums, "workflows": whole["workflows"]}
    return whole


def as_data(done: dict[str, Any]) -> dict[str, Any]:
    """What was done, for programs."""
    return {
        "removed": done["removed"],
        "dryRun": done["dry_run"],
        "workflows": done["workflows"],
        "ids": list(done["ids"]),
        "kept": done["kept"],
        "bytesBefore": done["bytes_before"],
        "bytesAfter": done["bytes_after"],
    }


def _tell(done: dict[str, Any]) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean, count

    screen = look.out()
    removed, dry = done["removed"], done["dry_run"]
    verb = "would be removed" if dry else ("was removed" if removed == 1 else "were removed")
    started = sum(done["workflows"].values())
    children = f", {removed - started:,} of them children" if removed > started else ""
    symbol = screen.symbol("waiting" if dry else "completed")
    screen.line(f"{symbol} {count(removed, 'instance')} {verb}{children}")
    for workflow, number in done["workflows"].items():
        screen.line(f"    {number:>9,}  {clean(workflow)}")
    if dry:
        for id in done["ids"][:NAMED_MAX]:
            screen.line(screen.paint(f"               {clean(id)}", "dim"))
        if started > NAMED_MAX and done["ids"]:
            screen.line(screen.paint(f"               … and {started - NAMED_MAX:,} more", "dim"))
    if done["kept"]:
        screen.line(f"  {sum(done['kept'].values()):,} stay:")
        for why, number in done["kept"].items():
            screen.line(f"    {number:>9,}  {WHY[why]}")
    if not dry:
        _tell_size(screen, done["bytes_before"], done["bytes_after"])


def _tell_size(screen: Screen, before: int, after: int) -> None:
    from mainspring.cli.checkup_store import size_in_words

    change = "as large as before" if after >= before else f"{size_in_words(before - after)} smaller"
    screen.line(f"  the store is {change}: {size_in_words(before)} before, {size_in_words(after)} now")
