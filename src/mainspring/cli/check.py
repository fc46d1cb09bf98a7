"""`mainspring check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, pools
from mainspring.cli.run import INPUT_HELP

if TYPE_CHECKING:
    from mainspring.testing.checking import Report
    from mainspring.testing.checking.space import Space


@click.command("check", short_help="Run a workflow through every failure, order and crash, with modelled tasks.")
@click.argument("file")
@click.option("--failures", type=click.IntRange(0, 4), default=1, show_default=True, help="So many nodes fail at most.")
@click.option("--input", "-i", "inputs", multiple=True, metavar="INPUT", help=INPUT_HELP)
@click.option(
    "--output", "-o", "outputs", multiple=True, metavar="NODE=JSON", help="What a node gives; may be repeated."
)
@click.option(
    "--instances", type=click.IntRange(1, 20), help="So many run side by side. [default: as limits need, 1 or 2]"
)
@click.option("--resilience", metavar="FILE", help="The rules of this resilience file hold too.")
@click.option("--pool", "pool_sizes", multiple=True, metavar="NAME=SIZE", help=f"{pools.HELP} [default: 1 place]")
@click.option("--seconds", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Explore no longer.")
@click.option(
    "--schedules", type=click.IntRange(1), default=200, show_default=True, help="Orders for each set of failures."
)
@click.option("--kills", type=click.IntRange(0), default=1_000, show_default=True, help="Deaths for each, likewise.")
@click.option("--seed", type=int, default=0, show_default=True, help="For the orders that are drawn.")
@click.option("--replay", metavar="RUN", help="Run just this one, which a report named, and tell it.")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Load more kinds of node; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    file: str,
    failures: int,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    instances: int | None,
    resilience: str | None,
    pool_sizes: tuple[str, ...],
    seconds: float,
    schedules: int,
    kills: int,
    seed: int,
    replay: str | None,
    imports: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run a workflow through every failure, order and crash, and find the smallest run that breaks an invariant.

    \b
    mainspring check order.yaml
    mainspring check order.yaml --failures 2
    mainspring check order.yaml --replay 'charge=error@v0.s0-1.k7'

    The engine is the real one; its tasks are modelled: none of your code runs. Beside the file's own `invariants:`, each run
    must end, lose no token, do nothing twice, keep its limits, undo what must be undone, and be the same with a crash as
    without. Exit code 1: a run breaks one of these.
    """
    from mainspring.cli import givens, preparing
    from mainspring.testing.checking import Budget, explore, prepared

    with preparing.stdout_for(as_json):  # modules that are imported may print
        preparing.load_modules(imports)
        given, sizes = givens.merged(inputs), pools.sizes(pool_sizes)
        space = prepared(file, given, _outputs(outputs), instances, sizes, resilience)
    if replay is not None:
        return _replayed(space, replay, as_json)
    from mainspring.cli.check_view import Progress

    with Progress(silent=as_json) as progress:
        report = explore(space, failures, Budget(seconds, schedules, kills), seed, progress.seen)
    many = {"--input": inputs, "--output": outputs, "--pool": pool_sizes, "--import": imports}
    once = {"--instances": instances, "--resilience": resilience}
    again = _command(file, many, once)
    return _told(report, again, as_json)


def _outputs(texts: tuple[str, ...]) -> dict[str, Any]:
    import json

    found = {}
    for text in texts:
        node, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("there is no `=` in it")
            found[node] = json.loads(value)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is no NODE=JSON: {error}", param_hint="--output") from None
    return found


def _command(file: str, many: dict[str, tuple[str, ...]], once: dict[str, Any]) -> str:
    """The command that looks at the same runs, to be followed by --replay."""
    import shlex

    parts = ["mainspring", "check", file]
    parts += [part for option, values in many.items() for value in values for part in (option, value)]
    parts += [part for option, value in once.items() if value is not None for part in (option, str(value))]
    return shlex.join(parts)


def _told(report: Report, again: str, as_json: bool) -> int:
    import shlex

    replay = None if report.counterexample is None else f"{again} --replay {shlex.quote(report.counterexample.replay)}"
    if as_json:
        import json

        data = report.data()
        if replay is not None:
            data["counterexample"]["command"] = replay
        print(json.dumps(data, ensure_ascii=False))
    else:
        from mainspring.cli import check_view, look

        check_view.show(look.out(), report, replay)
    return exits.COMPLETED if report.clean else exits.FAILED


def _replayed(space: Space, token: str, as_json: bool) -> int:
    from mainspring.testing.checking import replayed

    found, case, trace = replayed(space, token)
    if as_json:
        import json

        broken = None if found is None else {"invariant": found.broken.invariant, "text": found.broken.text}
        failures = [fault.words() for fault in case.faults]
        data = {"workflow": space.root.id, "clean": found is None, "broken": broken, "failures": failures}
        print(
            json.dumps({**data, "killed": case.killed is not None, "trace": trace, "replay": token}, ensure_ascii=False)
        )
    else:
        from mainspring.cli import check_view, look

        check_view.show_replayed(look.out(), space.root.id, case, found, trace)
    return exits.COMPLETED if found is None else exits.FAILED
