"""A workflow whose process is killed at each of its turns: does it end as it does when nobody kills it?

`kill_at_each_turn` runs a workflow once in peace, then once more for each of that run's writes to its store and each moment
around it (`Moment`): the process dies there, another one goes on from the store. It is the production engine with your own
tasks in virtual time, so it costs milliseconds a run. Which turns there are depends on nothing but the workflow, its input,
what is sent to it and the seed; while threads, processes and sockets are at work, on chance too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from mainspring.definition.durations import parse_duration
from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.engine import Engine, Run
from mainspring.engine.result import InstanceResult
from mainspring.errors import CommandRefused, MainspringError
from mainspring.graph.check import load
from mainspring.journal.store import Store
from mainspring.tasks.checking import refuse_faulty_tasks
from mainspring.testing.mortal import Lives, Moment, MortalStore
from mainspring.testing.running import DAYS_MAX, _refuse_missing
from mainspring.testing.virtual import Stalled

__all__ = ["Changed", "Moment", "Observed", "Signal", "kill_at_each_turn", "observe"]

KEY = "kill"
WRITES_MAX = 500
"""A run with more writes than this is not killed at each of them: the time grows with their square."""


class Signal(Struct, frozen=True):
    """Something that comes from outside, `after` (milliseconds, or `20ms`) the start.

    The payload of an approval is whether it is given. Raises ValueError where `after` is no duration.
    """

    name: str
    payload: Any = None
    after: str | int = 0
    kind: Literal["signal", "event", "approval"] = "signal"

    def __post_init__(self) -> None:
        self.delay()

    def delay(self) -> int:
        """`after` in milliseconds."""
        found = parse_duration(self.after)
        if found is None:
            raise ValueError(f"`after` of signal {self.name} is no duration: {self.after!r}; write 20ms, 3s, 1h …")
        return found


class Observed(Struct, frozen=True):
    """A run that was watched. `trace` has the ends of its nodes in order (`mainspring.testing.tracing`); `writes` says
    how many times its store was written to."""

    result: InstanceResult
    trace: list[str]
    writes: int
    broken: tuple[str, ...] = ()


class Changed(AssertionError):
    """A kill has changed what became of the workflow. The text says which kill, and what it changed."""


def observe(
    definition: str | Path | Definition | Workflow,
    *,
    input: Any = None,
    variables: Mapping[str, Any] | None = None,
    signals: Sequence[Signal] = (),
    seed: int = 0,
    days_max: int = DAYS_MAX,
    fatal: tuple[int, Moment] | None = None,
    deaths: int = 1,
) -> Observed:
    """Run a workflow in virtual time and watch it.

    With `fatal` its process dies: at that write (counted from 1); with more `deaths`, so do those that follow it, each at
    its first write, when it has just found out what the one before left. It is over when the instance is, and all that
    it started. Raises what `mainspring.testing.run` does.
    """
    wanted = load(definition) if isinstance(definition, (str, Path)) else definition
    workflow, folder = (wanted.workflow, wanted.folder) if isinstance(wanted, Definition) else (wanted, "")
    refuse_faulty_tasks(workflow, folder)
    _refuse_missing(workflow, folder)
    lives = Lives(MortalStore(fatal, deaths), seed, days_max)
    left = sorted(signals, key=Signal.delay)

    async def work(engine: Engine) -> InstanceResult:
        run = await engine.start(wanted, input=input, variables=variables, key=KEY)
        over = asyncio.ensure_future(_over(engine, run, lives.store))
        sending = asyncio.ensure_future(_send_all(engine, run.id, left, lives.store))
        try:
            await asyncio.wait((over, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()  # what cannot be sent is not to be waited for
            return await over
        finally:
            over.cancel()
            sending.cancel()
            await asyncio.gather(over, sending, return_exceptions=True)

    result = lives.until(work)
    store = lives.store
    broken = [f"{end.line(result.id)} a second time" for end in store.ends.again] + lives.broken
    return Observed(result, store.ends.trace(result.id), store.writes, tuple(broken))


def kill_at_each_turn(
    definition: str | Path | Definition | Workflow,
    *,
    input: Any = None,
    variables: Mapping[str, Any] | None = None,
    signals: Sequence[Signal] = (),
    seed: int = 0,
    days_max: int = DAYS_MAX,
    moments: Sequence[Moment] = tuple(Moment),
    deaths: int = 1,
    same: Callable[[Observed], Any] | None = None,
) -> Observed:
    """Kill the workflow's process at each of its turns, and hold each run to the one that nobody killed.

    With `deaths` above 1 the processes that follow are killed too (`observe`); a node that was running at three of them, and
    alone, is not begun again, as ever.

    Nothing that was durably at its end may run again, no work may begin before its start is durable, and what `same` makes of
    a run must equal what it makes of the first (without one: status, output, variables, and the ends and outputs of all
    nodes, in whatever order). It may raise too, of any run. Gives the run that nobody killed.

    Raises Changed, ValueError where there are more than WRITES_MAX writes, and what `observe` raises.
    """
    given: dict[str, Any] = {
        "input": input, "variables": variables, "signals": signals, "seed": seed, "days_max": days_max, "deaths": deaths,
    }  # fmt: skip
    look = same or outcome
    first = observe(definition, **given)
    _hold(first, "nobody killed it")
    if first.writes > WRITES_MAX:
        raise ValueError(f"{first.writes} writes are more than WRITES_MAX, {WRITES_MAX}: kill a smaller input")
    expected = look(first)
    for write in range(1, first.writes + 1):
        for moment in moments:
            when = f"killed at write {write} of {first.writes}, {moment.value}"
            try:
                found = observe(definition, **given, fatal=(write, moment))
            except (Stalled, MainspringError) as error:
                raise Changed(f"{when}: {type(error).__name__}: {error}") from error
            _hold(found, when)
            if look(found) != expected:
                raise Changed(f"{when}: {_difference(expected, look(found))}\ntrace: {', '.join(found.trace)}")
    return first


def outcome(observed: Observed) -> dict[str, Any]:
    """What a kill must not change: all but times, attempts, and the order in which parallel nodes ended."""
    result = observed.result
    return {
        "status": result.status,
        "output": _without_attempts(result.output),
        "variables": result.variables,
        "ends": sorted(observed.trace),
        "nodes": {
            path: (node.status, node.port, _without_attempts(node.output)) for path, node in result.nodes.items()
        },
        "errors": {path: (error.type, error.message) for path, error in result.errors.items()},
    }


def _without_attempts(value: Any) -> Any:
    """The value with `attempt` left out of the error records in it: what runs when its process dies begins another."""
    if isinstance(value, list):
        return [_without_attempts(item) for item in value]
    if not isinstance(value, dict):
        return value
    left_out = {"attempt"} if {"type", "message", "attempt", "maxAttempts"} <= value.keys() else set()
    return {key: _without_attempts(item) for key, item in value.items() if key not in left_out}


def _hold(observed: Observed, when: str) -> None:
    if observed.broken:
        raise Changed(f"{when}: {'; '.join(observed.broken)}")


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, dict) and isinstance(found, dict):
        parts = [
            f"{key} is {found.get(key)!r}, and was {expected.get(key)!r}"
            for key in {**expected, **found}
            if found.get(key) != expected.get(key)
        ]
        return "; ".join(parts)
    return f"{found!r}, and was {expected!r}"


async def _over(engine: Engine, run: Run, store: Store) -> InstanceResult:
    """The instance's result, once it and all that it started are at their ends."""
    result = await run.result()
    pause = 0.001
    while True:
        await engine.idle()
        started = await _open(engine)
        for id in started:
            await engine.wait(id)
        # A child that is not yet there is a row of the outbox.
        if not started and not await store.outbox(engine.host.ownership.lease(), 1):
            return result
        await asyncio.sleep(pause)
        pause *= 2


async def _open(engine: Engine) -> list[str]:
    """The ids of all open instances."""
    found: list[str] = []
    page = await engine.instances()
    while page:
        found += [record.id for record in page if record.open]
        page = await engine.instances(before=page[-1].number)
    return found


async def _send_all(engine: Engine, id: str, left: list[Signal], store: MortalStore) -> None:
    """Each at its time. One that was sent is durable, and off the list: a later life does not send it again."""
    began = (await engine.inspect(id)).started_at
    while left:
        await asyncio.sleep(max(0.0, (began + left[0].delay() - engine.host.clock.now()) / 1000))
        store.spared = True  # whoever sends it lives elsewhere
        try:
            with suppress(CommandRefused):  # it comes too late
                await _send(engine, id, left[0])
        finally:
            store.spared = False
        left.pop(0)


async def _send(engine: Engine, id: str, signal: Signal) -> None:
    match signal.kind:
        case "signal":
            await engine.signal(id, signal.name, signal.payload)
        case "event":
            await engine.publish(signal.name, signal.payload)
        case "approval":
            await engine.approve(id, signal.name, bool(signal.payload))
