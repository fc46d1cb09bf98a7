"""`mainspring migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.cli.look import Screen
    from mainspring.messaging.control import Migrate

SHOWN_MAX = 30
"""So many differences of one instance are shown, and so many instances with what is in their way."""


@click.command("migrate", short_help="Have instances under way go on by a newer version of their workflow.")
@click.argument("file")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="All open instances of the workflow.")
@click.option("--dry-run", is_flag=True, help="Say what differs, and what is in the way. Nothing is changed.")
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.option("--by", help="Who does it; it is kept in the journal. [default: your login name]")
@click.option("--store", metavar="URL", help=f"Where they are. [default: {places.DEFAULT_STORE}]")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def command(
    file: str,
    ids: tuple[str, ...],
    all_: bool,
    dry_run: bool,
    reason: str,
    by: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Have instances that are under way go on by the version of their workflow that is in FILE.

    ID is an id, the beginning of one, or `last`. What has happened stays as it happened, what runs goes on, and what has not
    begun is as the new version says. An instance for which that cannot be is left as it is, and the report says why: then
    the command ends with 1. Without this command an instance stays with the version that it began with.

    \b
    mainspring migrate order.yaml order-7f3k --dry-run
    mainspring migrate order.yaml --all --reason "ships twice a day now"
    """
    import asyncio

    from mainspring.cli import operating, preparing
    from mainspring.messaging.control import Migrate

    if bool(ids) == all_:
        raise click.UsageError("name instances, or say --all" if not ids else "name instances or say --all, not both")
    url, who = places.store_url(store), operating.user() if by is None else by
    body, folder = definition_of(file)
    order = Migrate(ids, body, folder, by=who, reason=reason, dry_run=dry_run)
    with preparing.log_lines():
        reports = asyncio.run(_migrated(url, order))
    if as_json:
        import json

        print(json.dumps({"dryRun": dry_run, "instances": reports}, ensure_ascii=False))
    else:
        _tell(reports, dry_run, file, url)
    return exits.FAILED if any(one["refusal"] for one in reports) else exits.COMPLETED


def definition_of(file: str) -> tuple[str, str]:
    """A definition as it goes to another process: its canonical form, and its folder. Raises DefinitionError."""
    from mainspring.definition import canonical
    from mainspring.graph.check import load

    definition = load(file)
    return canonical.encode(definition.workflow).decode(), definition.folder


async def _migrated(url: str, order: Migrate) -> list[dict[str, Any]]:
    import msgspec

    from mainspring.cli import operating

    ids = tuple([(await operating.resolved(url, id)).id for id in order.ids])
    if not ids:
        from mainspring.cli.reading import opened

        async with opened(url):
            pass  # a store that is not there is not made for this
    found: list[dict[str, Any]] = await operating.operate(url, msgspec.structs.replace(order, ids=ids))
    return found


def _tell(reports: list[dict[str, Any]], dry: bool, file: str, url: str) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean, count

    screen = look.out()
    if not reports:
        screen.line(
            f"{screen.symbol('skipped')} no open instance of the workflow in {clean(file)} runs by another version"
        )
        return
    moved = [one for one in reports if not one["refusal"]]
    left = [one for one in reports if one["refusal"]]
    verb = "can go on" if dry else ("goes on" if len(moved) == 1 else "go on")
    if len(reports) > 1:
        symbol = screen.symbol("waiting" if dry else "completed" if moved else "failed")
        screen.line(
            f"{symbol} {len(moved):,} of {count(len(reports), 'instance')} {verb} by the version in {clean(file)}"
        )
    elif moved:
        symbol = screen.symbol("waiting" if dry else "completed")
        text = "can go on by" if dry else "goes on by"
        screen.line(f"{symbol} {clean(moved[0]['id'])} {text} the version in {clean(file)}")
    for one in left[:SHOWN_MAX]:
        screen.line(f"{screen.symbol('failed')} {clean(one['id'])} stays with its version:")
        for reason in _reasons(one):
            screen.hanging("    ", clean(reason), 4)
    if len(left) > SHOWN_MAX:
        screen.line(screen.paint(f"  … {len(left) - SHOWN_MAX:,} more (--json has all)", "dim"))
    if len(reports) == 1:
        _differences(screen, reports[0]["differences"])
    later = [one for one in moved if not one["taken"]]
    if later and not dry:
        go_on = places.command("run", "--resume", later[0]["id"], store=url)
        many = "it does" if len(moved) == 1 else f"{len(later):,} of them do"
        screen.line(f"  {many} so as soon as an engine runs {'it' if len(later) == 1 else 'them'}: {go_on}")
    if dry:
        screen.line(screen.paint("  nothing was changed (--dry-run)", "dim"))


def _reasons(report: dict[str, Any]) -> list[str]:
    """Why it stays: what is in the way, each in a line, or the refusal as it is."""
    found = [f"{one['path']}: {one['obstacle']}" for one in report["differences"] if one["obstacle"] and one["path"]]
    return found[:SHOWN_MAX] or [report["refusal"]]


def _differences(screen: Screen, found: list[dict[str, str]]) -> None:
    from mainspring.cli.words import clean

    marks = {"added": "+", "removed": "-", "changed": "~"}
    for one in found[:SHOWN_MAX]:
        if one["path"]:
            screen.line(f"  {marks[one['what']]} {clean(one['path'])} {screen.paint(one['what'], 'dim')}")
    if len(found) > SHOWN_MAX:
        screen.line(screen.paint(f"  … {len(found) - SHOWN_MAX:,} more", "dim"))
