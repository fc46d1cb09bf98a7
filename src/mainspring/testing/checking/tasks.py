"""Modelled tasks: each waits until the trial lets it end, and then does what its place in the case says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mainspring.definition.model import Node
from mainspring.messaging.task import Output, PreparedTask, TaskCall, TaskFault
from mainspring.tasks.fault import describe as describe_any

if TYPE_CHECKING:
    from mainspring.testing.checking.trial import Trial

ERROR = "ModelledFailure"


class ModelledFailure(Exception):
    """What a task raises that the checker has fail."""


class Attempt(Struct, eq=False):
    """One that is at work. `hangs`: it never comes to its end by itself."""

    call: TaskCall
    ending: asyncio.Future[None]
    hangs: bool
    fails: bool
    output: Any


class ModelledKind:
    """Of every kind of node that does work in the world. No code of the workflow's is looked for."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        return _Prepared(self._trial)

    def close(self) -> None:
        """Nothing is held."""


class _Prepared:
    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        return _work(self._trial, self._trial.begins(call))


async def _work(trial: Trial, attempt: Attempt) -> Any:
    try:
        await attempt.ending
    except asyncio.CancelledError:
        trial.over(attempt, "stop")
        raise
    if attempt.fails:
        trial.over(attempt, "fail")
        raise ModelledFailure("the checker had it fail")
    trial.over(attempt, "done")
    return attempt.output


def leaving(value: Any, port: str | None) -> Any:
    """What a task returns to leave by a port."""
    return value if port is None else Output(value, port)


def describe(error: BaseException) -> TaskFault:
    """The engine's describer, without the stacks, which differ from one process to the next."""
    if isinstance(error, ModelledFailure):
        return TaskFault(ERROR, str(error), (ERROR, "Exception"))
    return describe_any(error)
