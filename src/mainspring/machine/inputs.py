"""Requests and reports: what an instance can be told. One of these is one turn.

Time comes beside the input (`now`), and each input carries one 64-bit seed, from which whatever looks random is derived
(SEMANTICS 5).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class TaskFault(Struct, frozen=True, omit_defaults=True):
    """What a task reports of the error that ended it. `kinds` names the error's type and all its bases (for retryOn)."""

    type: str
    message: str
    kinds: tuple[str, ...] = ()
    code: str | int | None = None
    stack: str | None = None
    context: dict[str, Any] | None = None
    fatal: bool = False
    retry_after: int | None = None


class Input(Struct, frozen=True, kw_only=True, tag=True):
    """The base of all. `message` is the inbox id of an input that came from outside ("" for the engine's own reports)."""

    seed: int = 0
    message: str = ""


class StartInstance(Input, frozen=True, kw_only=True):
    """Begin. `input` and `variables` are JSON."""

    workflow: str
    version: str
    input: bytes = b"null"
    variables: bytes = b"{}"
    key: str | None = None


class Recover(Input, frozen=True, kw_only=True):
    """A process has just loaded the instance: whatever ran, ran in a process that is gone.

    `seq` is the last row that it found: with a later one the instance has been recovered already.
    `alone`: no other node, of any instance, ran in the process that is gone.
    """

    seq: int = 0
    alone: bool = False


class Reattach(Input, frozen=True, kw_only=True):
    """The instance was thrown away after a commit that failed, and loaded again in the same process.

    `known` lists the attempts (path, run, attempt) that still run here, or whose report is about to come.
    """

    known: tuple[tuple[str, int, int], ...] = ()


class Interrupt(Input, frozen=True, kw_only=True):
    """This process stops in good order: what runs is given back, and is not counted as crashed."""


class CancelInstance(Input, frozen=True, kw_only=True):
    """End it."""

    by: str = ""
    reason: str = ""


class ParkInstance(Input, frozen=True, kw_only=True):
    """The machine failed on an input: stop here, in a named state, and keep what the fault was (SEMANTICS 3)."""

    reason: str
    fault: str = ""


class ResumeInstance(Input, frozen=True, kw_only=True):
    """A parked or paused instance goes on."""

    by: str = ""


class TaskFinished(Input, frozen=True, kw_only=True, gc=False):
    """An attempt's work is done. `variables` is a JSON object of those it set (None: it set none).

    `cached`: it was not done, its result is a kept one. `keep`: what to keep this result by (empty: it is not to be kept).
    """

    path: str
    run: int
    attempt: int
    output: bytes = b"null"
    port: str | None = None
    variables: bytes | None = None
    cached: bool = False
    keep: bytes = b""


class TaskFailed(Input, frozen=True, kw_only=True):
    """An attempt's work failed."""

    path: str
    run: int
    attempt: int
    fault: TaskFault


class HandlerMissing(Input, frozen=True, kw_only=True):
    """The attempt could not begin, because this process does not have the node's code (SEMANTICS 33)."""

    path: str
    run: int
    attempt: int
    handler: str


class HandlersFound(Input, frozen=True, kw_only=True):
    """The code that the nodes at `paths` waited for is there now."""

    paths: tuple[str, ...]


class TimerFired(Input, frozen=True, kw_only=True, gc=False):
    """A timer's time has come. A timer that no longer means anything is ignored (SEMANTICS 29)."""

    path: str
    run: int
    attempt: int
    purpose: str


class AdmissionGranted(Input, frozen=True, kw_only=True):
    """The node may start: it holds what it asked for."""

    path: str
    run: int


class AdmissionRefused(Input, frozen=True, kw_only=True):
    """The node may not start, and waiting would not help."""

    path: str
    run: int
    reason: str
    figures: dict[str, float] = {}


AnyInput = (
    StartInstance
    | Recover
    | Reattach
    | Interrupt
    | CancelInstance
    | ParkInstance
    | ResumeInstance
    | TaskFinished
    | TaskFailed
    | HandlerMissing
    | HandlersFound
    | TimerFired
    | AdmissionGranted
    | AdmissionRefused
)
