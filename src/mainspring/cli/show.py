"""`mainspring show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from mainspring.cli import exits, moments, places

if TYPE_CHECKING:
    from mainspring.cli.body_history import Fates
    from mainspring.cli.held import Waits
    from mainspring.cli.look import Screen
    from mainspring.cli.moments import Then
    from mainspring.engine.result import InstanceResult
    from mainspring.journal.records import InstanceRecord

VALUE_LINES = 60
CHILDREN_MAX = 10

ROWS_READ_UNASKED_MAX = 20_000
"""What became of bodies is counted in the journal; where that is longer than so many rows, only if it is asked for."""


@click.command("show", short_help="How an instance stands, its errors in full.")
@click.argument("id")
@click.option("--store", metavar="URL", help=f"Where to look. [default: {places.DEFAULT_STORE}]")
@click.option(
    "--node", "path", metavar="PATH", help="Only this node, or this body (`loop[3]`), with its input and output."
)
@click.option("--at", metavar="MOMENT", help=moments.HELP)
@click.option("--bodies", is_flag=True, help="Say what became of all bodies, however long the journal is.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, with everything.")
def command(id: str, store: str | None, path: str | None, at: str | None, bodies: bool, as_json: bool) -> int:
    """How an instance stands: its nodes, its errors in full, its input and output.

    ID is an id, the beginning of one, or `last`. Only looks: works while an engine runs on the store. With --at it is shown
    as it stood then, in every view; `mainspring events` has the places.

    \b
    mainspring show last
    mainspring show order-7f3k --node charge --json
    mainspring show order-7f3k --at 5.0
    mainspring show charges-2b1d --node 'loop[3].charge'
    """
    import asyncio

    from mainspring.cli import words

    url = places.store_url(store)
    seen = asyncio.run(_seen(url, id, at, bodies and path is None, path is None))
    with words.as_of(None if seen.then is None else seen.then.at):
        if path is not None:
            _show_node(seen, url, path, as_json)
        elif as_json:
            _print_json(seen, url)
        else:
            _show(seen, url)
    return exits.COMPLETED


class Seen(NamedTuple):
    """An instance, and what became of its bodies (None: nobody asked, and there is too much to read)."""

    record: InstanceRecord
    result: InstanceResult
    fates: dict[str, Fates] | None
    waits: list[Waits]
    then: Then | None = None

    def command(self, *words: str, url: str) -> str:
        """The command line that shows more of it, as it stood at the same moment."""
        at = () if self.then is None else ("--at", str(self.then.moment))
        return places.command("show", self.record.id, *at, *words, store=url)


async def _seen(url: str, id: str, at: str | None, bodies: bool, whole: bool) -> Seen:
    from mainspring.cli import body_history, held, reading
    from mainspring.errors import StoreCorrupt

    if at is not None:
        return await _seen_then(url, id, at, bodies, whole)
    record, result = await reading.instance(url, id)
    if result is None:
        raise StoreCorrupt(f"{record.id} is parked and its journal cannot be read: {record.reason}")
    if not whole or all(node.bodies is None for node in result.nodes.values()):
        return Seen(record, result, {}, await _waits(url, result) if whole else [])
    async with reading.opened(url) as store:
        if not bodies and await body_history.is_longer(store, record.id, ROWS_READ_UNASKED_MAX):
            return Seen(record, result, None, await held.waiting(store, result))
        return Seen(record, result, await body_history.fates(store, record.id), await held.waiting(store, result))


async def _seen_then(url: str, id: str, at: str, bodies: bool, whole: bool) -> Seen:
    from mainspring.cli import body_history, held, reading
    from mainspring.engine.result import InstanceResult

    past, following = await reading.past(url, id, moments.parsed(at))
    result, fates = InstanceResult(past.instance), None
    if not whole or all(node.bodies is None for node in result.nodes.values()):
        fates = {}
    elif bodies or past.moment.seq <= ROWS_READ_UNASKED_MAX:
        async with reading.opened(url) as store:
            fates = await body_history.fates(store, past.record.id, past.moment)
    then = moments.Then(past.moment, past.at, following)
    return Seen(past.record, result, fates, held.waited(result) if whole else [], then)


async def _waits(url: str, result: InstanceResult) -> list[Waits]:
    from mainspring.cli import held, reading

    if all(node.status != "ready" for node in result.nodes.values()):
        return []
    async with reading.opened(url) as store:
        return await held.waiting(store, result)


def _show_node(seen: Seen, url: str, path: str, as_json: bool) -> None:
    import asyncio

    from mainspring.cli import look, show_node

    screen, then = look.out(), seen.then
    until = None if then is None else then.moment
    found = asyncio.run(show_node.find(url, seen.record.id, seen.result, path, until))
    if then is not None and not as_json:
        moments.show(screen, then)
    show_node.show(screen, found, seen.command("--node", path, "--json", url=url), as_json)


def _print_json(seen: Seen, url: str) -> None:
    import json

    from mainspring.cli import account, held

    told = account.of_instance(seen.result, url, seen.record.status, seen.record.reason)
    told["openBodies"] = account.of_open_bodies(seen.result)
    told["bodies"] = None if seen.fates is None else {place: account.of_fates(one) for place, one in seen.fates.items()}
    if seen.waits:
        told["waitsForLimits"] = held.as_json(seen.waits)
    if seen.then is not None:
        told["lookingBack"] = moments.as_json(seen.then)
    print(json.dumps(told, ensure_ascii=False))


def _show(seen: Seen, url: str) -> None:
    from mainspring.cli import awaited, held, look, undone
    from mainspring.cli.summary import counts, show_nodes, show_value
    from mainspring.cli.words import clean, duration, local, now_ms, relative

    screen, record, result, now = look.out(), seen.record, seen.result, now_ms()
    see_all = seen.command("--json", url=url)
    head = screen.paint(f"{clean(record.workflow)} {record.status.replace('_', ' ')}", "bold")
    screen.line(f"{screen.symbol(record.status)} {head}  {screen.paint(record.id, 'dim')}")
    if seen.then is not None:
        moments.show(screen, seen.then)
    if record.reason and record.status != "completed":
        screen.hanging("  reason    ", clean(record.reason), 12)
    _pause(screen, result, now)
    screen.line(f"  started   {local(record.created_at)} ({relative(record.created_at, now)})")
    took = duration((record.ended_at or now) - record.created_at)
    screen.line(f"  {'took' if record.ended_at else 'so far'}{' ' * (6 if record.ended_at else 4)}{took}")
    if record.key is not None:
        screen.line(f"  key       {clean(record.key)}")
    if record.parent is not None:
        screen.line(f"  child of  {clean(record.parent)}")
    _children(screen, result)
    if record.open and record.wake_at is not None:
        screen.line(f"  asleep    until {local(record.wake_at)} ({relative(record.wake_at, now)})")
    screen.line(f"  nodes     {counts(result)}")
    if record.open:
        _progress(screen, result, now)
        _checkpoints(screen, result)
    _health(screen, result)
    held.show(screen, seen.waits)
    undone.show(screen, record.id, result.compensation, url, past=seen.then is not None)
    if any(node.bodies is not None for node in result.nodes.values()):
        from mainspring.cli.show_bodies import show_bodies

        show_bodies(screen, result, seen.fates, url, *([] if seen.then is None else ["--at", str(seen.then.moment)]))
    screen.line()
    show_nodes(screen, list(result.nodes.values()))
    _stacks(screen, result)
    for title, value in (("input", result.input), ("variables", result.variables), ("output", result.output)):
        if value not in (None, {}) and (title != "output" or result.done):
            screen.line()
            show_value(screen, title, value, see_all, VALUE_LINES)
    if seen.then is not None:
        screen.line()
        awaited.show(screen, result, url, past=True)
        now_command = places.command("show", record.id, store=url)
        screen.line(screen.paint(f"as it stands now: {now_command}", "dim"))
    elif record.open:
        screen.line()
        awaited.show(screen, result, url)
        if record.status in ("pausing", "paused"):
            resume = places.command("resume", record.id, store=url)
            screen.line(screen.paint(f"to end the pause: {resume}", "dim"))
        go_on = places.command("run", "--resume", record.id, store=url)
        screen.line(screen.paint(f"to go on, where nothing runs it now: {go_on}", "dim"))


def _pause(screen: Screen, result: InstanceResult, now: int) -> None:
    """Since when it stands still, who said so, what its clocks do, and until when."""
    from mainspring.cli.words import clean, local, relative

    pause = result.instance.pause
    if pause is None:
        return
    by = f" by {clean(pause.by)}" if pause.by else ""
    clocks = "its clocks stand still" if pause.stop_clocks else "its clocks run on"
    if pause.then_cancel:
        until = "" if pause.until is None else f" {relative(pause.until, now)}, at {local(pause.until)}"
        screen.line(f"  ends      when what runs has finished, or{until}; it is cancelled{by}")
        return
    screen.line(f"  paused    {local(pause.since)} ({relative(pause.since, now)}){by}; {clocks}")
    if pause.until is not None:
        screen.line(f"            it goes on by itself at {local(pause.until)} ({relative(pause.until, now)})")


def _progress(screen: Screen, result: InstanceResult, now: int) -> None:
    """How far it is, and how long it will still take where that can be said."""
    from mainspring.cli.words import duration
    from mainspring.engine.progress import progress_of

    progress = progress_of(result.instance, {}, now)
    left = f", about {duration(progress.remaining_ms)} left" if progress.remaining_ms else ""
    screen.line(f"  progress  {progress.percent:.0f} %{left}")


def _checkpoints(screen: Screen, result: InstanceResult) -> None:
    """What is not shown, since it is not durable yet."""
    from mainspring.cli.words import duration

    policy = result.instance.plan.workflow.checkpoint
    if policy is None or policy.policy == "each":
        return
    when = {
        "count": f"after {policy.count} completions",
        "interval": f"every {duration(policy.interval or 0)}",
        "manual": "when somebody asks",
    }[policy.policy]
    screen.line(f"  shown as  of its last checkpoint, which is taken {when};")
    screen.line("            what it has done since is not shown, and is done again after a crash")


def _health(screen: Screen, result: InstanceResult) -> None:
    """How well it is, where something is lost or degraded, and what can be done."""
    from mainspring.cli.words import clean, one_line

    health = result.health
    if health.continuity == "full":
        return
    screen.line(f"  health    {health.value:.2f}, {health.continuity.replace('_', ' ')}")
    for function in health.functions[:CHILDREN_MAX]:
        if function.status != "working" and function.name != result.workflow:
            screen.line(f"            {clean(function.name)} is {function.status}")
    for line in health.recommendations[:CHILDREN_MAX]:
        screen.hanging("            ", one_line(line, 400), 12)
    if len(health.recommendations) > CHILDREN_MAX:
        screen.line(f"            … {len(health.recommendations) - CHILDREN_MAX:,} more")


def _children(screen: Screen, result: InstanceResult) -> None:
    from mainspring.cli.words import clean

    children = result.children
    for title, child in zip(("children", *[""] * CHILDREN_MAX), children[:CHILDREN_MAX], strict=False):
        screen.line(f"  {title:<9} {clean(child)}")
    if len(children) > CHILDREN_MAX:
        screen.line(f"            … {len(children) - CHILDREN_MAX:,} more")


def _stacks(screen: Screen, result: InstanceResult) -> None:
    from mainspring.cli.words import clean, count

    failed = [(path, error) for path, error in result.errors.items() if error.stack]
    for path, error in failed[:5]:
        screen.line()
        screen.line(f"{screen.paint('error of ' + path, 'bold')}, attempt {error.attempt} of {error.max_attempts}")
        for line in clean(error.stack or "").splitlines():
            screen.line(f"  {line}")
    if len(failed) > 5:
        screen.line(screen.paint(f"… {count(len(failed) - 5, 'more error')}: --json, or --node PATH", "dim"))
