"""`mainspring resume`."""

from __future__ import annotations

import click

from mainspring.cli import exits, places


@click.command("resume", short_help="Have a paused or parked instance go on.")
@click.argument("id", required=False)
@click.option("--workflow", metavar="ID", help="All paused instances of this workflow.")
@click.option("--all", "everything", is_flag=True, help="All paused instances.")
@click.option("--by", help="Who says so; it is kept in the journal. [default: your login name]")
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
def command(
    id: str | None, workflow: str | None, everything: bool, by: str | None, store: str | None, as_json: bool
) -> int:
    """Have a paused or parked instance go on, with the children that were paused with it.

    ID is an id, the beginning of one, or `last`. The process that runs its store is told; where none does, the instance goes
    on as soon as one is there.

    \b
    mainspring resume order-7f3k
    """
    import asyncio

    from mainspring.cli import look, operating, preparing
    from mainspring.cli.pause import told_all
    from mainspring.cli.words import clean
    from mainspring.messaging.control import Resume, ResumeAll

    if [id is not None, workflow is not None, everything].count(True) != 1:
        raise click.UsageError("give the ID of an instance, or --workflow ID, or --all")
    url, who = places.store_url(store), operating.user() if by is None else by
    with preparing.log_lines():
        if id is None:
            ids = asyncio.run(operating.operate(url, ResumeAll(workflow, who)))["ids"]
            told_all(ids, "told to go on", "running", as_json)
            return exits.COMPLETED
        known = asyncio.run(operating.resolved(url, id)).id
        asyncio.run(operating.operate(url, Resume(known, who)))
    if as_json:
        import json

        print(json.dumps({"id": known}))
        return exits.COMPLETED
    screen = look.out()
    screen.line(f"{screen.symbol('running')} {clean(known)} goes on")
    go_on = places.command("run", "--resume", known, store=url)
    screen.line(screen.paint(f"  to go on, where nothing runs it now: {go_on}", "dim"))
    return exits.COMPLETED
