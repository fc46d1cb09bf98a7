"""How an exception becomes the record that is kept of it.

This runs in the worst moment, on objects that somebody else wrote: a `__str__` that raises, a property that raises, a
message that is no valid text. So nothing is read from an error without a guard, and what is read is checked and cut.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import msgspec

from mainspring.errors import MainspringError
from mainspring.messaging.task import TaskFault

STACK_BYTES_MAX = 8 * 1024
MESSAGE_BYTES_MAX = 8 * 1024
FRAMES_MAX = 40
CAUSES_MAX = 5

KINDS_MAX = 256

TEXTS_MAX = 256
"""What fails often mostly fails at the same places. To read their source from the file takes longer than a step does."""

_texts: dict[tuple[tuple[CodeType, int], ...], str] = {}

_OWN_CODE = str(Path(__file__).resolve().parent.parent) + "/"


class Fatal(Exception):
    """Raised by a task whose failure no retry can mend: the node fails at once."""

    fatal = True

    def __init__(self, message: str, code: str | int | None = None) -> None:
        self.code = code
        super().__init__(message)


class Reported(MainspringError):
    """A failure whose story does not lie in Python frames of this process: a script's, another process's."""

    def __init__(self, message: str, *, code: str | int | None = None, stack: str | None = None) -> None:
        self.code = code
        self.stack = stack
        super().__init__(message)


class FaultElsewhere(Reported):
    """An error that was described where it happened, in a process of its own."""

    def __init__(self, fault: TaskFault) -> None:
        self.fault = fault
        super().__init__(fault.message, code=fault.code, stack=fault.stack)


def describe(error: BaseException) -> TaskFault:
    """The record of `error`. Never raises."""
    if isinstance(error, FaultElsewhere):
        return error.fault
    kind = type(error)
    with contextlib.suppress(Exception):
        return TaskFault(
            type=clean(kind.__name__),
            message=_message(error),
            kinds=_kinds(kind),
            code=_code(error),
            stack=_stack(error),
            context=_context(error),
            fatal=_read(error, "fatal") is True,
            retry_after=_retry_after(error),
        )
    return TaskFault(type=type.__getattribute__(kind, "__name__"), message="(the error could not be described)")


def clean(text: str, bytes_max: int = MESSAGE_BYTES_MAX) -> str:
    """`text` as it can be stored: no lone surrogates, and no longer than the bound (the end of it is dropped)."""
    if len(text) <= bytes_max and text.isascii() and type(text) is str:
        return text
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= bytes_max:
        return raw.decode("utf-8")
    return raw[: bytes_max - 3].decode("utf-8", "ignore") + "…"


def tail(text: str, bytes_max: int = STACK_BYTES_MAX) -> str:
    """The end of `text`: in a stack and on stderr, what matters stands last."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= bytes_max:
        return raw.decode("utf-8")
    return "…" + raw[3 - bytes_max :].decode("utf-8", "ignore")


def _read(error: BaseException, attribute: str) -> Any:
    try:
        return getattr(error, attribute, None)
    except Exception:
        return None


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:
        return f"({type(error).__name__}, whose text could not be read: its __str__ raised {type(broken).__name__})"
    return clean(text) or type(error).__name__


def _kinds(kind: Any) -> tuple[str, ...]:
    # One with a metaclass of its own may not even have a hash.
    return _known_names(kind) if type(kind) is type else _names(kind)


def _names(kind: type[BaseException]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for base in kind.__mro__[:-1]:
        names[clean(base.__name__)] = None
        names[clean(f"{base.__module__}.{base.__qualname__}")] = None
    return tuple(names)


_known_names = lru_cache(KINDS_MAX)(_names)


def _code(error: BaseException) -> str | int | None:
    for attribute in ("code", "returncode", "errno"):
        value = _read(error, attribute)
        if isinstance(value, str):
            return clean(str(value))
        if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
            return int(value)
    return None


def _retry_after(error: BaseException) -> int | None:
    """Seconds (or a timedelta), as whole milliseconds."""
    value = _read(error, "retry_after")
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**9:
        return None
    return round(value * 1_000)


def _context(error: BaseException) -> dict[str, Any] | None:
    """An error's own `context`, where it is an object that can be stored."""
    value = _read(error, "context")
    if not isinstance(value, dict) or not value:
        return None
    try:
        raw = msgspec.json.encode(value)
        stored: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    except Exception:
        return None
    return stored if len(raw) <= MESSAGE_BYTES_MAX else None


def _stack(error: BaseException) -> str | None:
    if isinstance(error, Reported):
        return tail(error.stack) if error.stack else None
    try:
        parts = [_frames(each) for each in _chain(error)]
    except Exception:
        return None
    return tail("\nwhich led to:\n".join(part for part in reversed(parts) if part)) or None


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it, the latest first; a ring of causes ends where it began."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < CAUSES_MAX and all(cause is not known for known in chain):
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return chain


def _frames(error: BaseException) -> str:
    """The user's own frames of an error, as text; those of mainspring say nothing to its user."""
    places = [(frame, line) for frame, line in _walk(error.__traceback__) if not _is_ours(frame.f_code.co_filename)]
    return _formatted(places[-FRAMES_MAX:]) + f"{type(error).__name__}: {_message(error)}" if places else ""


def _formatted(places: list[tuple[FrameType, int]]) -> str:
    key = tuple((frame.f_code, line) for frame, line in places)
    text = _texts.get(key)
    if text is None:
        import traceback

        text = "".join(traceback.StackSummary.extract(iter(places)).format())
        if len(_texts) >= TEXTS_MAX:
            _texts.clear()
        _texts[key] = text
    return text


def _walk(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    places = []
    while trace is not None:
        places.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return places


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OWN_CODE)
