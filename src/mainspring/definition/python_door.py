"""Python values to a plain tree, as the YAML and JSON doors give it: what a file could hold, and callables as handlers.

A part (`ms.Node(…)`) says where in the program it was made, so that what is wrong with it is told there.
"""

from __future__ import annotations

import datetime
import enum
import math
import sys
import uuid
from collections.abc import Iterable, Mapping
from itertools import islice
from os import PathLike, fspath
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import fields, replace

from mainspring.definition.bounds import document_depth_max, document_nodes_max, findings_max
from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.scalars import integer_max, integer_min
from mainspring.definition.vocabulary import plain

_handler_keys = frozenset(("handler", "functionname", "handlerid", "functioncode"))
_no_text = "a text holds half of a surrogate pair"


class Part:
    """What was said of one part of a workflow, as it was said; `title` is what the part is called."""

    title: ClassVar[str]
    __slots__ = ("_at", "_code", "said")

    def __init__(self, said: Mapping[str, Any], depth: int = 2) -> None:
        self.said = dict(said)
        # The code and the instruction, not the line: most are never asked for it, and the look-up costs.
        frame = sys._getframe(depth)
        self._code, self._at = frame.f_code, frame.f_lasti

    def place(self) -> tuple[str, int, int]:
        """File, line and column of the call that made this part."""
        line, _, column, _ = next(islice(self._code.co_positions(), self._at // 2, None))
        return self._code.co_filename, line or self._code.co_firstlineno, (column or 0) + 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.said.items())})"


class PythonReader:
    """Reads one part with all that is in it. `parts` remembers which part gave what a pointer leads to."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.parts: dict[Pointer, Part] = {}
        self.count = 0

    def read(self, value: Any, at: Pointer = ()) -> Any:
        """The value as a tree; what no definition can hold is reported, and null in its place."""
        self.count += 1
        if self.count > document_nodes_max:
            return self.refuse("MS002", f"more values than document_nodes_max, {document_nodes_max}", at)
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            return value if value.isascii() or _is_text(value) else self.refuse("MS003", _no_text, at)
        if kind is int or kind is float:
            return self.number(value, at)
        if len(at) > document_depth_max:
            return self.refuse("MS005", f"nested deeper than document_depth_max, {document_depth_max}", at)
        if kind is list or kind is tuple:
            return self.items(value, at)
        if isinstance(value, Part):
            self.parts[at] = value
            return self.mapping(value.said, at)
        if isinstance(value, Mapping):
            return self.mapping(value, at)
        return self.other(value, at)

    def number(self, value: float, at: Pointer) -> Any:
        if type(value) is float and not math.isfinite(value):
            return self.refuse("MS008", f"{value} is not a number that JSON knows", at)
        if type(value) is int and not integer_min <= value <= integer_max:
            return self.refuse("MS008", f"the integer {str(value)[:30]} does not fit 64 bits", at)
        return value

    def items(self, value: Iterable[Any], at: Pointer) -> list[Any]:
        return [self.read(item, (*at, index)) for index, item in enumerate(value)]

    def mapping(self, value: Mapping[Any, Any], at: Pointer) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str) or not _is_text(key):
                self.refuse("MS102", f"a key must be text, not {key!r:.60}", at)
            elif callable(item) and plain(key) in _handler_keys and not isinstance(item, Part):
                tree[key] = item
            else:
                tree[key] = self.read(item, (*at, key))
        return tree

    def other(self, value: Any, at: Pointer) -> Any:
        """What JSON does not have, but a definition has a form for."""
        if isinstance(value, Struct):
            return self.mapping(_said(value), at)
        if isinstance(value, enum.Enum):
            return self.read(value.value, at)
        if isinstance(value, datetime.timedelta):
            return self.duration(value, at)
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, uuid.UUID):
            return str(value)
        if isinstance(value, str | int | float):
            base = next(base for base in (str, int, float) if isinstance(value, base))
            return self.read(base(value), at)
        if isinstance(value, PathLike):
            return self.read(fspath(value), at)
        if isinstance(value, list | tuple):
            return self.items(value, at)
        what = f"`{at[-1] if at else 'workflow'}` is {value!r:.80}, which no definition can hold"
        if callable(value):
            return self.refuse("MS108", what, at, "a function can only be a node's `handler`")
        hint = "give a list" if isinstance(value, set | frozenset) else "use text, numbers, lists and dicts"
        return self.refuse("MS108", what, at, hint)

    def duration(self, value: datetime.timedelta, at: Pointer) -> int | None:
        milliseconds, rest = divmod(value, datetime.timedelta(milliseconds=1))
        if rest or milliseconds < 0:
            self.refuse("MS105", f"{value} is no duration: it must be whole milliseconds, at least 0", at)
            return None
        return milliseconds

    def refuse(self, code: str, message: str, at: Pointer, hint: str | None = None) -> None:
        if len(self.findings) < findings_max:
            self.findings.append(finding(code, message, at, hint))

    def placed(self, found: Finding, origin: Pointer) -> Finding:
        """A finding with the place of the innermost part that it is about, and the way to the argument."""
        argument = spelled(origin)
        part = next(
            (self.parts[origin[:size]] for size in range(len(origin), -1, -1) if origin[:size] in self.parts), None
        )
        if part is None:
            return replace(found, argument=argument)
        file, line, column = part.place()
        return replace(found, argument=argument, file=file, line=line, column=column)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _said(struct: Struct) -> dict[str, Any]:
    """A part of the model itself: the fields that say something."""
    given = ((field, getattr(struct, field.name)) for field in fields(struct))
    return {field.encode_name: value for field, value in given if value is not None and value is not field.default}


def spelled(pointer: Pointer) -> str:
    """`nodes[0].depends_on[1]`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in pointer)
    return text.removeprefix(".")
