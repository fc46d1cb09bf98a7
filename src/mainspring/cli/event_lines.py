"""An event as a line: for people in words, for machines as JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mainspring.cli.event_paths import address
from mainspring.cli.look import Screen
from mainspring.cli.words import clean, clock, iso, one_line
from mainspring.engine.result import Recorded
from mainspring.machine import events as ev
from mainspring.machine.events import ErrorRecord, Pin, Ref, Skip, Token

VALUE_MAX = 80
LISTED_MAX = 6
NAME_WIDTH = 20
_OF_A_BODY = (ev.ScopeStarted, ev.ScopeEnded, ev.VariablesConflict)
_TIMES = frozenset({"due", "until"})

_NOTHING: tuple[object, ...] = ("", None, (), ev.NULL)

_COLOURS = {
    "Completed": "green",
    "Failed": "red",
    "Failing": "red",
    "Skipped": "dim",
    "Cancelled": "yellow",
    "Retrying": "yellow",
    "Started": "cyan",
    "Parked": "yellow",
    "Waiting": "blue",
    "Activated": "cyan",
}


def as_text(screen: Screen, one: Recorded) -> str:
    """`05:56:10.123  3.0  NodeCompleted  charge  attempt=2 output={"paid":12.5}`."""
    place = f"{one.seq}.{one.index}"
    name = one.name
    colour = next((style for end, style in _COLOURS.items() if name.endswith(end)), "")
    head = f"{screen.paint(clock(one.at), 'dim')}  {place:>7}  {screen.paint(f'{name:<{NAME_WIDTH}}', colour)}"
    return f"{head}  {_in_words(one.event)}".rstrip()


def of_event(screen: Screen, event: ev.Event) -> str:
    """`NodeCompleted  charge  attempt=2`: an event that has no place yet."""
    name = type(event).__name__
    colour = next((style for end, style in _COLOURS.items() if name.endswith(end)), "")
    return f"{screen.paint(f'{name:<{NAME_WIDTH}}', colour)}  {_in_words(event)}".rstrip()


def as_json(one: Recorded) -> str:
    """The event with all its fields; values as they are."""
    fields = {field.name: _plain(getattr(one.event, field.name)) for field in msgspec.structs.fields(one.event)}
    told = {"seq": one.seq, "index": one.index, "at": iso(one.at), "event": one.name, **fields}
    return json.dumps(told, ensure_ascii=False)


def _in_words(event: ev.Event) -> str:
    """The path first, then what is not as it is by default."""
    about = address(event)
    parts = [clean(about)] if about else []
    of_body = isinstance(event, _OF_A_BODY)
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        if field.name == "path" or value == field.default or value in _NOTHING:
            continue
        if (field.name == "run" and value == 1) or (field.name == "number" and of_body):
            continue
        if field.name == "names" and isinstance(event, ev.NodeWaiting):
            continue  # `detail` has them, too
        parts.append(f"{field.name}={_word(field.name, value)}")
    return " ".join(parts)


def _word(name: str, value: Any) -> str:
    if isinstance(value, Raw):
        raw = bytes(value)
        text = one_line(raw[: 4 * VALUE_MAX].decode(errors="ignore"), VALUE_MAX)
        return f"{len(_items(raw)):,}: {text}" if name == "items" else text
    if isinstance(value, ErrorRecord):
        return one_line(f"{value.type}: {value.message}", VALUE_MAX)
    if isinstance(value, tuple):
        shown = ", ".join(_item(item) for item in value[:LISTED_MAX])
        return f"[{shown}{f', … {len(value) - LISTED_MAX} more' if len(value) > LISTED_MAX else ''}]"
    if name in _TIMES and isinstance(value, int):
        return clock(value)
    return one_line(str(value), VALUE_MAX)


def _item(item: Any) -> str:
    if isinstance(item, Skip):
        return f"{clean(item.path)} ({one_line(item.reason, VALUE_MAX)})"
    if isinstance(item, Ref):
        return clean(item.path) + (" (in doubt)" if item.in_doubt else "")
    if isinstance(item, Token):
        return f"connection {item.connection}" + (f" (run {item.run})" if item.run > 1 else "")
    if isinstance(item, Pin):
        return f"{clean(item.name)} ({item.version[:8]})"
    return clean(str(item))


_items = msgspec.json.Decoder(list[Raw]).decode


def _plain(value: Any) -> Any:
    if isinstance(value, Raw):
        return msgspec.json.decode(value)
    if isinstance(value, Struct):
        return {field.name: _plain(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
