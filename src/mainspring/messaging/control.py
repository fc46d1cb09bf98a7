"""What an engine can be told from outside its process: one operation in, one answer out, each a line of JSON.

A store that one engine holds (a SQLite file) is not written by anybody else: whoever wants something says so to that engine,
through the socket whose place `socket_of` tells. It belongs to the user who runs the engine, and to nobody else.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

PATH_BYTES_MAX = 100
"""What the name of a Unix socket may have. A longer one lies in the folder for temporary files, by a digest of its name."""

LINE_BYTES_MAX = 17 * 1024 * 1024
"""An operation with a payload of `payload_bytes_max` fits."""


class Ping(Struct, frozen=True, tag="ping"):
    """Who is there?"""


class Pause(Struct, frozen=True, tag="pause", omit_defaults=True):
    """Pause an instance, and wait up to `wait_ms` until it is drained. See `Engine.pause`."""

    id: str
    by: str = ""
    reason: str = ""
    stop_clocks: bool = True
    for_ms: int | None = None
    wait_ms: int = 0


class PauseAll(Struct, frozen=True, tag="pause all", omit_defaults=True):
    """Pause all that runs, or all of one workflow."""

    workflow: str | None = None
    by: str = ""
    reason: str = ""
    stop_clocks: bool = True
    for_ms: int | None = None


class Resume(Struct, frozen=True, tag="resume", omit_defaults=True):
    """Have a paused or parked instance go on."""

    id: str
    by: str = ""


class ResumeAll(Struct, frozen=True, tag="resume all", omit_defaults=True):
    """Have all that is paused go on, or all of one workflow."""

    workflow: str | None = None
    by: str = ""


class Cancel(Struct, frozen=True, tag="cancel", omit_defaults=True):
    """End an instance, and wait up to `wait_ms` for its end."""

    id: str
    by: str = ""
    reason: str = ""
    wait_ms: int = 0
    grace_ms: int = 0


class Signal(Struct, frozen=True, tag="signal", omit_defaults=True):
    """Send an instance a signal."""

    id: str
    name: str
    payload: Raw = Raw(b"null")
    by: str = ""
    key: str | None = None


class Approve(Struct, frozen=True, tag="approve", omit_defaults=True):
    """Decide what an instance waits for."""

    id: str
    name: str
    approved: bool
    comment: str = ""
    by: str = ""


class Requeue(Struct, frozen=True, tag="requeue", omit_defaults=True):
    """Put a dead letter back to work."""

    id: str
    by: str = ""
    reason: str = ""


class Purge(Struct, frozen=True, tag="purge"):
    """Lose dead letters for good."""

    ids: tuple[str, ...]


class Collect(Struct, frozen=True, tag="gc", omit_defaults=True):
    """Remove instances at their end. See `Engine.gc`. What takes longer than an answer may is done by asking again."""

    older_than_ms: int | None = None
    keep: int | None = None
    workflow: str | None = None
    dry_run: bool = False


class SwitchBreaker(Struct, frozen=True, tag="breaker", omit_defaults=True):
    """Open a circuit breaker by hand, or close it (`shut`)."""

    target: str
    shut: bool
    by: str = ""
    reason: str = ""


class Limits(Struct, frozen=True, tag="limits"):
    """How each limit stands: its size, who holds it, how many wait."""


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all orders by hand have: who gives it, why, and whether it is only to be tried."""

    by: str = ""
    reason: str = ""
    dry_run: bool = False


class Retry(Said, frozen=True, tag="retry"):
    """Have a node run again. See `Engine.retry`."""

    id: str
    path: str
    input: Raw | UnsetType = UNSET


class Skip(Said, frozen=True, tag="skip"):
    """Have a node not run."""

    id: str
    path: str


class Complete(Said, frozen=True, tag="complete"):
    """Say that a node is done."""

    id: str
    path: str
    output: Raw = Raw(b"null")
    port: str | None = None


class Rerun(Said, frozen=True, tag="rerun"):
    """Have an instance run again from a node on, by the version of its workflow in `body` where there is one."""

    id: str
    path: str
    input: Raw | UnsetType = UNSET
    body: str = ""
    folder: str = ""


class SetVariables(Said, frozen=True, tag="variables"):
    """Give variables other values."""

    id: str
    values: Raw


class Migrate(Said, frozen=True, tag="migrate"):
    """Have instances go on by another version of their workflow, whose canonical form is `body`. No `ids`: all open ones."""

    ids: tuple[str, ...]
    body: str
    folder: str = ""


ByHand = Retry | Skip | Complete | Rerun | SetVariables
"""What is done to single nodes, and to the variables."""

Operation = (
    Ping
    | Pause
    | PauseAll
    | Resume
    | ResumeAll
    | Cancel
    | Signal
    | Approve
    | Requeue
    | Purge
    | Collect
    | SwitchBreaker
    | Limits
    | Migrate
    | ByHand
)


class Answer(Struct, frozen=True, omit_defaults=True):
    """What came of it, as JSON; or else the name of the error that mainspring raises for it, and its text."""

    done: Raw = Raw(b"null")
    error: str = ""
    message: str = ""


decode_operation = msgspec.json.Decoder(Operation).decode
decode_answer = msgspec.json.Decoder(Answer).decode


def line(said: Operation | Answer) -> bytes:
    """One line, as it goes through the socket. JSON has no line breaks of its own."""
    return msgspec.json.encode(said) + b"\n"


def socket_of(file: str) -> str:
    """Where the engine that holds this file listens. The same for everybody who means the same file."""
    path = f"{Path(file).resolve()}-control"
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        return path
    user = os.getuid() if hasattr(os, "getuid") else 0
    name = f"mainspring-{user}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}"
    return str(Path(tempfile.gettempdir()) / name)
