"""`check`: a workflow through every failure of up to so many nodes, in many orders, killed in every state that it has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.program import refuse_unsupported
from mainspring.graph.check import load
from mainspring.testing.checking.explorer import Budget, Explorer, Found, Tally, played
from mainspring.testing.checking.faults import Case, parse
from mainspring.testing.checking.report import Report, reported
from mainspring.testing.checking.shrinking import shrunk
from mainspring.testing.checking.space import PLACES_ASSUMED, Space, space_of

NODES_NAMED_MAX = 5


class CheckFailed(AssertionError):
    """A run breaks an invariant. `report` has all of it."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(report.text())


def check(
    definition: str | Path | Definition | Workflow,
    *,
    failures: int = 1,
    input: Any = None,
    outputs: Mapping[str, Any] | None = None,
    instances: int | None = None,
    resilience: str | Path | None = None,
    pools: Mapping[str, int] | None = None,
    seconds: float = 60.0,
    schedules: int = 200,
    kills: int = 1_000,
    seed: int = 0,
) -> Report:
    """Explore a workflow with modelled tasks, and give what was explored.

    Every set of up to `failures` failures; for each the orders of events that lead to different states (`schedules` at most,
    beyond that they are drawn, by the seed); for each a death of the process in each durable state (`kills` at most). It
    stops after `seconds`. `input` and `outputs` (by node id) are what the modelled tasks work on and give, in place of what
    the file says under `check`, or of what is made up; `instances` run side by side; `pools` have so many places (one each
    where nothing is said). The rules of a `resilience` file hold for a file.

    Raises CheckFailed with the smallest run that breaks an invariant, and DefinitionError.
    """
    budget = Budget(seconds, schedules, kills)
    report = explore(prepared(definition, input, outputs, instances, pools, resilience), failures, budget, seed)
    if not report.clean:
        raise CheckFailed(report)
    return report


def prepared(
    definition: str | Path | Definition | Workflow,
    input: Any = None,
    outputs: Mapping[str, Any] | None = None,
    instances: int | None = None,
    pools: Mapping[str, int] | None = None,
    resilience: str | Path | None = None,
) -> Space:
    """What there is to explore, of a file with the rules of a `resilience` file too. Raises DefinitionError."""
    wanted = load(definition, resilience=resilience) if isinstance(definition, (str, Path)) else definition
    workflow = wanted.workflow if isinstance(wanted, Definition) else wanted
    refuse_unsupported(workflow)
    return space_of(wanted, input=input, outputs=outputs, instances=instances, pools=pools)


def explore(
    space: Space, failures: int, budget: Budget, seed: int = 0, progress: Callable[[Tally], None] = lambda tally: None
) -> Report:
    """Explore it, and report. `progress` hears of each run."""
    began = time.monotonic()
    with _quiet():
        explorer = Explorer(space, failures, budget, seed, progress)
        found = explorer.run()
        if found is not None:
            found = shrunk(space, found)
        notes = list(_notes(space, explorer)) if found is None else []
    return reported(space, explorer.tally, found, time.monotonic() - began, notes)


def replayed(space: Space, token: str) -> tuple[Found | None, Case, list[str]]:
    """The run that a token names: what it breaks (None: nothing, now), and its trace. Raises BadToken."""
    from mainspring.testing.checking.story import told

    case = parse(token, space.tokens())
    with _quiet():
        trial, broken = played(space, case)
    found = None if broken is None else Found(case, broken, trial)
    return found, case, told(trial.ledger.deeds, broken, space.instances)


def _notes(space: Space, explorer: Explorer) -> Iterator[str]:
    """What should be known of how far this reaches."""
    if space.assumed:
        places = " and ".join(f"the pool {name}" for name in space.assumed)
        yield f"{places} had {PLACES_ASSUMED} place: --pool {space.assumed[0]}=N tries another size"
    peaceful, _ = played(space, Case())
    for result in peaceful.results.values():
        if result.status == "failed" and result.parent is None:
            why = "; ".join(f"{path}: {error.message}" for path, error in result.errors.items()) or result.reason
            yield f"without any failure it ends {result.status} ({why}): perhaps its modelled values do not suit it"
            break
    never = sorted(
        node.place
        for part in space.parts.values()
        for node in part.plan.everywhere()
        if not (node.machine_kind or node.off_graph)
        and not any((part.name, node.place) in one for one in explorer.all_reached())
    )
    if never and not explorer.tally.out_of_time:
        shown = ", ".join(never[:NODES_NAMED_MAX]) + (", …" if len(never) > NODES_NAMED_MAX else "")
        yield f"no run led to {shown}: tell `outputs` that lead there (in `check:` of the file)"


@contextmanager
def _quiet() -> Iterator[None]:
    """Thousands of crashes are no news for the log."""
    loggers = [logging.getLogger(name) for name in ("mainspring.engine", "mainspring.workflow", "asyncio")]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
