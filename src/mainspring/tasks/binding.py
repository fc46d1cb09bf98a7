"""From a payload to a function's arguments.

The rules (SEMANTICS 19), in this order:

1. A parameter annotated `TaskContext` gets the context, wherever it stands, and takes no part in what follows.
2. An object goes by name: each key to the parameter of that name. What no parameter asks for is dropped, unless the
   function has `**kwargs`.
3. But where the only parameter (there is no `**kwargs`) has no default, is not named by a key of the object, and is
   not annotated as something that an object cannot be (`int`, `str`, `list` …), the whole object goes to it:
   `def ship(order): …` gets the order.
4. Any other payload goes to the only parameter, or to the only one without a default.
5. null is "nothing was sent" where the function has no parameter or only ones with defaults.
6. A function without parameters ignores its payload.
7. A parameter without a default that gets nothing fails the node, naming it; no retry can mend that.

The signature is read once. Most functions have plain, required parameters, and bind through one `itemgetter`.
"""

from __future__ import annotations

import datetime
import decimal
import inspect
import re
import types
import typing
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from mainspring.messaging.task import TaskCall, decode
from mainspring.tasks.context import TaskContext

Caller = Callable[[TaskCall], Any]

_EMPTY = inspect.Parameter.empty
_NEVER_OBJECTS = (
    *(int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, type(None)),
    *(decimal.Decimal, datetime.date, datetime.time, datetime.timedelta),
)
_CONTEXT_TEXT = re.compile(r"(\w+\.)*TaskContext")


class MissingParameter(Exception):
    """The payload has nothing for a parameter that needs something."""

    fatal = True


class Binder:
    """A function's signature, read once, and how a payload becomes its arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.title = getattr(function, "__qualname__", None) or type(function).__name__
        parameters = _parameters(function)
        self.context = tuple(p.name for p in parameters if _is_context(p.annotation, function))
        by_name = [p for p in parameters if p.name not in self.context]
        self.catches_all = any(p.kind is p.VAR_KEYWORD for p in by_name)
        self.spreads = any(p.kind is p.VAR_POSITIONAL for p in by_name)
        self.wanted = tuple(p for p in by_name if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))
        self.required = tuple(p.name for p in self.wanted if p.default is _EMPTY)
        self.positional = tuple(p for p in parameters if p.kind is p.POSITIONAL_ONLY)
        self.whole = self._takes_whole(function)
        self.plain = self._is_plain(parameters)

    def _takes_whole(self, function: Callable[..., Any]) -> bool:
        if self.catches_all or len(self.wanted) != 1 or not self.required:
            return False
        return _takes_objects(_annotation(self.wanted[0].annotation, function))

    def _is_plain(self, parameters: list[inspect.Parameter]) -> bool:
        """Whether all arguments can be handed over by position: required ones only, the context first or absent."""
        simple = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        all_simple = all(p.kind in simple for p in parameters) and len(self.required) == len(self.wanted)
        return all_simple and self.context in ((), tuple(p.name for p in parameters[:1]))

    def arguments(self, payload: Any, context: TaskContext) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for one call. Raises MissingParameter."""
        named = self._named(payload)
        if named is None:
            return [context] * len(self.context) + [payload], {}
        for name in self.context:
            named[name] = context
        positional = [named.pop(p.name, p.default) for p in self.positional]
        return positional, named

    def _named(self, payload: Any) -> dict[str, Any] | None:
        """The values by parameter (None: the payload goes into `*args`, there is nothing else)."""
        if payload is None and not self.required:
            return {}
        if type(payload) is dict:
            return self._from_object(payload)
        targets = self.wanted if len(self.wanted) == 1 else [p for p in self.wanted if p.default is _EMPTY]
        if len(targets) == 1:
            return {targets[0].name: payload}
        if not self.wanted and not self.catches_all:
            return None if self.spreads else {}
        raise MissingParameter(self._complaint(payload))

    def _from_object(self, payload: dict[str, Any]) -> dict[str, Any]:
        if self.whole and self.required[0] not in payload:
            return {self.required[0]: payload}
        for name in self.required:
            if name not in payload:
                raise MissingParameter(self._complaint(payload))
        if self.catches_all:
            return dict(payload)
        return {p.name: payload[p.name] for p in self.wanted if p.name in payload}

    def _complaint(self, payload: Any) -> str:
        if type(payload) is dict:
            missing = [name for name in self.required if name not in payload]
            sent = ", ".join(f"`{key}`" for key in list(payload)[:20]) or "nothing"
            return f"{self.title} needs {_listed(missing)}, and the input has {sent}"
        kind = "nothing" if payload is None else f"no object but {_json_kind(payload)}"
        names = _listed(self.required) if self.required else _listed([p.name for p in self.wanted]) or "an object"
        return f"{self.title} needs {names}, and the input is {kind}"


def caller(function: Callable[..., Any]) -> Caller:
    """What decodes a call's input, binds it and calls `function`, the quickest way that its signature allows."""
    binder = Binder(function)

    def call_any(call: TaskCall, payload: Any) -> Any:
        positional, named = binder.arguments(payload, TaskContext(call))
        return function(*positional, **named)

    if binder.plain and not binder.wanted:
        return (lambda call: function(TaskContext(call))) if binder.context else (lambda _call: function())
    if binder.plain:
        return _plain_caller(function, binder.required, bool(binder.context), call_any)
    if binder.positional or binder.context or binder.catches_all or binder.spreads:
        return lambda call: call_any(call, decode(call.input))
    return _named_caller(function, binder, call_any)


def _named_caller(function: Callable[..., Any], binder: Binder, otherwise: Callable[[TaskCall, Any], Any]) -> Caller:
    """An object that has all that is required, and nothing that is not wanted, is the keywords as it stands."""
    wanted, required = frozenset(p.name for p in binder.wanted), frozenset(binder.required)

    def call_named(call: TaskCall) -> Any:
        payload = decode(call.input)
        if type(payload) is dict and required <= payload.keys() <= wanted:
            return function(**payload)
        return otherwise(call, payload)

    return call_named


def _plain_caller(
    function: Callable[..., Any], names: tuple[str, ...], wants_context: bool, otherwise: Callable[[TaskCall, Any], Any]
) -> Caller:
    first = names[0]
    pick: Callable[[Any], tuple[Any, ...]] = itemgetter(*names) if len(names) > 1 else lambda payload: (payload[first],)

    # `values` is picked in a try of its own, so that a KeyError of the function is never taken for a missing key.
    def call_plain(call: TaskCall) -> Any:
        payload = decode(call.input)
        try:
            values = pick(payload)
        except (KeyError, TypeError):
            return otherwise(call, payload)
        return function(*values)

    def call_with_context(call: TaskCall) -> Any:
        payload = decode(call.input)
        try:
            values = pick(payload)
        except (KeyError, TypeError):
            return otherwise(call, payload)
        return function(TaskContext(call), *values)

    return call_with_context if wants_context else call_plain


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        # Some callables written in C do not say what they take: they get the payload.
        return [inspect.Parameter("payload", inspect.Parameter.POSITIONAL_ONLY)]


def _annotation(annotation: Any, function: Callable[..., Any]) -> Any:
    """An annotation as an object, where its text can be read in the function's module; else the text."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, getattr(inspect.unwrap(function), "__globals__", {}))
    except Exception:
        return annotation


def _is_context(annotation: Any, function: Callable[..., Any]) -> bool:
    read = _annotation(annotation, function)
    if isinstance(read, str):
        # The name is only imported for type checkers, so it is known by its text alone.
        bare = re.sub(r"\s|['\"]|\bNone\b|\|", "", re.sub(r"(?:\w+\.)*(?:Optional|Union)\[(.*)\]", r"\1", read))
        return _CONTEXT_TEXT.fullmatch(bare.strip(",")) is not None
    if read is TaskContext:
        return True
    return _is_union(read) and TaskContext in typing.get_args(read)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _takes_objects(annotation: Any) -> bool:
    if _is_union(annotation):
        return any(_takes_objects(each) for each in typing.get_args(annotation))
    base = typing.get_origin(annotation) or annotation
    return not (isinstance(base, type) and issubclass(base, _NEVER_OBJECTS))


def _listed(names: typing.Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a number"
