"""`mainspring run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import places, pools

if TYPE_CHECKING:
    from mainspring.cli.session import Outcome, Wanted
    from mainspring.cli.watching import View
    from mainspring.definition.load import Definition

INPUT_HELP = "k=v, k.sub=v, @file.json or JSON; may be repeated."


@click.command("run", short_help="Run a workflow to its end, or go on with one.")
@click.argument("file", required=False)
@click.option("--input", "-i", "inputs", multiple=True, metavar="INPUT", help=INPUT_HELP)
@click.option("--store", metavar="URL", help=f"Where to keep it. [default: {places.DEFAULT_STORE}]")
@click.option("--key", help="Run it once: the same key again gives the first instance.")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Load more tasks; may be repeated.")
@click.option("--resilience", metavar="FILE", help="The rules of this resilience file hold too.")
@click.option("--pool", "pool_sizes", multiple=True, metavar="NAME=SIZE", help=pools.HELP)
@click.option("--resume", metavar="ID", help="Go on with an instance (an id, its beginning, or `last`).")
@click.option(
    "--durability", type=click.Choice(["full", "normal"]), default="full", help="Survive a power loss (full)."
)
@click.option("--no-wait", is_flag=True, help="Do not wait for a store that another engine holds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, with everything.")
@click.option("--quiet", "-q", is_flag=True, help="Only the output, as JSON.")
def command(
    file: str | None,
    inputs: tuple[str, ...],
    store: str | None,
    key: str | None,
    imports: tuple[str, ...],
    resilience: str | None,
    pool_sizes: tuple[str, ...],
    resume: str | None,
    durability: str,
    no_wait: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a workflow to its end, or go on with one.

    \b
    mainspring run order.yaml --input amount=30 --input customer.name=Ada
    mainspring run order.yaml --input @order.json --json
    mainspring run --resume last

    Ctrl-C stops in good order: what is done stays done, and --resume goes on from there.
    """
    if (file is None) == (resume is None):
        raise click.UsageError("give the FILE of a workflow, or --resume ID to go on with an instance")
    if resume is not None and (inputs or key is not None):
        raise click.UsageError("--input and --key belong to a new instance; --resume goes on with one that has them")

    if resume is not None and resilience is not None:
        raise click.UsageError(
            "--resilience belongs to a new instance; --resume goes on by the rules that it began with"
        )

    from mainspring.cli import givens, preparing
    from mainspring.cli.session import Wanted

    given, sizes = givens.merged(inputs), pools.sizes(pool_sizes)
    url = places.store_url(store)
    with preparing.stdout_for(as_json or quiet):
        definition = _prepared(file, imports, resilience)
        if definition is not None:
            preparing.refuse_input(definition, given)
            pools.refuse_missing(definition, sizes)
        places.make_room(url)
        wanted = Wanted(definition, resume, given, key, url, durability, not no_wait, pools=sizes)
        shown = view(as_json or quiet)
        outcome = conducted(wanted, shown)
    return told_of(outcome, wanted, imports, as_json, quiet, shown.told)


def _prepared(file: str | None, imports: tuple[str, ...], resilience: str | None) -> Definition | None:
    from mainspring.cli import preparing

    preparing.load_modules(imports)
    if file is None:
        return None
    definition = preparing.definition_to_run(file, resilience)
    warnings = [*definition.warnings, *preparing.not_enforced_yet(definition, file)]
    if warnings:
        from mainspring.cli import faults, look

        screen = look.err()
        faults.show_findings(screen, warnings)
        screen.flush()
    return definition


def conducted(wanted: Wanted, view: View) -> Outcome:
    """Run it, with what is seen of it meanwhile."""
    import asyncio

    from mainspring.cli import look, preparing
    from mainspring.cli.session import Session

    def say(text: str) -> None:
        screen = look.err()
        screen.line(text)
        screen.flush()

    async def conduct() -> Outcome:
        return await Session(wanted, view, say).conduct()

    with preparing.log_lines():
        return asyncio.run(conduct())


def view(silent: bool) -> View:
    """What is shown while something runs."""
    from mainspring.cli import look, watching

    screen = look.out()
    if silent:
        return watching.NoView()
    if screen.live:
        from mainspring.cli.live_view import LiveView

        return LiveView(screen)
    from mainspring.cli.plain_lines import Lines

    return Lines(screen)


def told_of(
    outcome: Outcome, wanted: Wanted, imports: tuple[str, ...], as_json: bool, quiet: bool, told: set[str]
) -> int:
    """Say how it ended; gives the exit code."""
    from mainspring.cli import ending

    if as_json:
        return ending.as_json(outcome, wanted)
    if outcome.how == "ended" and outcome.result is not None:
        if quiet:
            return ending.quiet(outcome.result)
        return ending.summary(outcome.result, wanted.store, told, outcome.before)
    return ending.not_ended(outcome, wanted, imports)
