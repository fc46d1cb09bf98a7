"""`mainspring list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.journal.records import InstanceRecord

STATUSES = (
    "pending", "running", "pausing", "paused", "parked", "failing", "cancelling", "compensating",
    "completed", "partial_success", "failed", "cancelled", "compensated",
)  # fmt: skip
"""As in machine.lifecycle (a test holds them equal): not imported, because `--help` must be quick."""


@click.command("list", short_help="What has been run, the newest first.")
@click.option("--store", metavar="URL", help=f"Where to look. [default: {places.DEFAULT_STORE}]")
@click.option("--status", type=click.Choice(STATUSES), help="Only those with this status.")
@click.option("--workflow", metavar="ID", help="Only those of this workflow.")
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="A list on stdout.")
def command(store: str | None, status: str | None, workflow: str | None, limit: int, as_json: bool) -> int:
    """What has been run, the newest first.

    \b
    mainspring list
    mainspring list --status failed --workflow order
    """
    import asyncio

    url = places.store_url(store)
    records = asyncio.run(_read(url, status, workflow, limit + 1))
    shown = records[:limit]
    if as_json:
        import json

        from mainspring.cli import account

        print(json.dumps([account.of_record(record) for record in shown], ensure_ascii=False))
    else:
        _show(shown, url, len(records) > limit, bool(status or workflow))
    return exits.COMPLETED


async def _read(url: str, status: str | None, workflow: str | None, limit: int) -> list[InstanceRecord]:
    from mainspring.cli.reading import opened

    async with opened(url) as store:
        return await store.instances(status=status, workflow=workflow, limit=limit)


def _show(records: list[InstanceRecord], url: str, more: bool, filtered: bool) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean, duration, local, now_ms, one_line, relative

    screen = look.out()
    if not records:
        screen.line(f"no {'such ' if filtered else ''}instance in {url}")
        return
    now = now_ms()
    rows = []
    for record in records:
        took = duration((record.ended_at or now) - record.created_at)
        told = record.reason if record.status != "completed" else ""
        if record.open and record.wake_at is not None:
            told = f"wakes {relative(record.wake_at, now)}"
        rows.append(
            (
                (record.id, ""),
                (clean(record.workflow), ""),
                (record.status.replace("_", " "), look.STYLES.get(record.status, "dim")),
                (f"{local(record.created_at)}, {relative(record.created_at, now)}", ""),
                (took if record.ended_at is not None else f"{took} so far", ""),
                (one_line(told, 60), "dim"),
            )
        )
    look.table(screen, ("ID", "WORKFLOW", "STATUS", "STARTED", "DURATION", ""), rows)
    if more:
        screen.line(screen.paint(f"… more: --limit {len(records) * 5}", "dim"))
