"""`mainspring reject`."""

from __future__ import annotations

import click

from mainspring.cli import exits, places


@click.command("reject", short_help="Reject what an instance waits for.")
@click.argument("id")
@click.argument("name", required=False)
@click.option("--comment", default="", help="Why; it is part of the approval's payload.")
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--by", help="Who decides; it is kept in the journal. [default: your login name]")
@click.option("--json", "as_json", is_flag=True, help="What was sent, as JSON.")
def command(id: str, name: str | None, comment: str, store: str | None, by: str | None, as_json: bool) -> int:
    """Reject what a `wait` with an `approval` waits for. The instance takes it when it goes on.

    ID is an id, the beginning of one, or `last`. NAME is the approval's; where it waits for one only it can be left out.

    \b
    mainspring reject order-7f3k manager --comment "as agreed"
    """
    from mainspring.cli import sending

    sending.decide(False, id, name, comment, store, by, as_json)
    return exits.COMPLETED
