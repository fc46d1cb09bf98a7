"""From a payload to a function's arguments.

The rules (SEMANTICS 19), in this order:

1. A parameter annotated `TaskContext` gets the context, wherever it stands, and takes no part in what follows.
2. An object goes by name: each key to the parameter of that name. What no parameter asks for is dropped, unless the
   function has `**kwargs`.
3. But where the only parameter (there is no `**kwargs`) has no default, is not named by a key of the object, and is
   not annotated as something that an object cannot be (`int`, `str`, `list` …), the whole object goes to it:
   `def ship(order): …` gets the order. Where it is annotated with a type that has a key of the parameter's own name,
   the object is always meant whole.
4. Any other payload goes to the only parameter, or to the only one without a default.
5. null is "nothing was sent" where the function has no parameter or only ones with defaults.
6. A function without parameters ignores its payload.
7. A parameter without a default that gets nothing fails the node, naming it; no retry can mend that.
8. What a parameter is annotated with is held (`typed`): the value is converted, or the node fails, naming the place.

The signature is read once. Most functions bind through one decoder, which reads the JSON straight into the arguments.
Whatever does not fit the quick way takes the general one, which knows what to say.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import astuple

from mainspring.messaging.task import TaskCall, decode
from mainspring.tasks.annotations import BY_NAME, EMPTY, is_context, parameters_of, read, takes_objects, title_of
from mainspring.tasks.context import TaskContext
from mainspring.tasks.typed import Conversion, conversion_of, decoder, own_keys

Caller = Callable[[TaskCall], Any]


_context_names = ("ctx", "context")


class MissingParameter(Exception):
    """The payload has nothing for a parameter that needs something."""

    fatal = True


class Binder:
    """A function's signature, read once, and how a payload becomes its arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.title = title_of(function)
        self.parameters = parameters_of(function)
        self.context = tuple(p.name for p in self.parameters if is_context(p.annotation, function))
        by_name = [p for p in self.parameters if p.name not in self.context]
        self.catches_all = any(p.kind is p.VAR_KEYWORD for p in by_name)
        self.spreads = any(p.kind is p.VAR_POSITIONAL for p in by_name)
        self.wanted = tuple(p for p in by_name if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))
        self.required = tuple(p.name for p in self.wanted if p.default is EMPTY)
        self.positional = tuple(p for p in self.parameters if p.kind is p.POSITIONAL_ONLY)
        self.annotations = {p.name: read(p.annotation, function) for p in self.wanted}
        self.conversions = self._conversions()
        self.whole = self._takes_whole() and not getattr(function, BY_NAME, False)
        self.always_whole = self.whole and self.required[0] in (own_keys(self.annotations[self.required[0]]) or ())
        self.takes_nothing = self._takes_nothing()

    def _conversions(self) -> dict[str, Conversion]:
        found = ((p.name, conversion_of(self.annotations[p.name], p.default)) for p in self.wanted)
        return {name: conversion for name, conversion in found if conversion is not None}

    def _takes_whole(self) -> bool:
        if self.catches_all or len(self.wanted) != 1 or not self.required:
            return False
        return takes_objects(self.annotations[self.required[0]])

    def _takes_nothing(self) -> bool:
        """Whether it can be called with nothing, or with the context as its only argument."""
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        others = [p for p in self.parameters if p.name not in self.context or p.kind not in by_position]
        return len(self.parameters) <= 1 and not others

    def arguments(self, payload: Any, context: TaskContext | None) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for one call. Raises MissingParameter, InputMismatch."""
        named = self.named(payload)
        if named is None:
            return [context] * len(self.context) + [payload], {}
        return self.placed(named, context)

    def placed(self, named: dict[str, Any], context: TaskContext | None) -> tuple[list[Any], dict[str, Any]]:
        """Values by name as a call takes them: what must stand by position first, the context where it is asked for."""
        for name in self.context:
            named[name] = context
        positional = [named.pop(p.name, p.default) for p in self.positional]
        return positional, named

    def named(self, payload: Any) -> dict[str, Any] | None:
        """The values by parameter, converted (None: the payload goes into `*args`, there is nothing else)."""
        named, as_keys = self._assigned(payload)
        if named is not None:
            for name, conversion in self.conversions.items():
                if name in named:
                    named[name] = conversion(named[name], f"input.{name}" if as_keys else "input")
        return named

    def _assigned(self, payload: Any) -> tuple[dict[str, Any] | None, bool]:
        """The values by parameter, as they came, and whether they are the payload's keys (else they are all of it)."""
        if payload is None and not self.required:
            return {}, True
        if type(payload) is dict:
            return self._from_object(payload)
        targets = self.wanted if len(self.wanted) == 1 else [p for p in self.wanted if p.default is EMPTY]
        if len(targets) == 1:
            return {targets[0].name: payload}, False
        if not self.wanted and not self.catches_all:
            return (None if self.spreads else {}), False
        raise MissingParameter(self._complaint(payload))

    def _from_object(self, payload: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        if self.whole and (self.always_whole or self.required[0] not in payload):
            return {self.required[0]: payload}, False
        for name in self.required:
            if name not in payload:
                raise MissingParameter(self._complaint(payload))
        if self.catches_all:
            return dict(payload), True
        return {p.name: payload[p.name] for p in self.wanted if p.name in payload}, True

    def _complaint(self, payload: Any) -> str:
        if type(payload) is dict:
            missing = [name for name in self.required if name not in payload]
            sent = ", ".join(f"`{key}`" for key in list(payload)[:20]) or "nothing"
            # Whoever forgets the annotation has a parameter like any other, and nothing that sends it.
            context = next((name for name in missing if name in _context_names and not self.context), None)
            hint = "" if context is None else f"; the context is had by its annotation: `{context}: ms.TaskContext`"
            return f"{self.title} needs {_listed(missing)}, and the input has {sent}{hint}"
        kind = "nothing" if payload is None else f"no object but {_json_kind(payload)}"
        names = _listed(self.required) if self.required else _listed([p.name for p in self.wanted]) or "an object"
        return f"{self.title} needs {names}, and the input is {kind}"


def caller(function: Callable[..., Any], binder: Binder | None = None) -> Caller:
    """What decodes a call's input, binds it and calls `function`, the quickest way that its signature allows."""
    binder = binder or Binder(function)

    def call_any(call: TaskCall, payload: Any) -> Any:
        positional, named = binder.arguments(payload, TaskContext(call))
        return function(*positional, **named)

    if binder.takes_nothing:
        return (lambda call: function(TaskContext(call))) if binder.context else (lambda _call: function())
    one_decoder = all(conversion.native for conversion in binder.conversions.values())
    if binder.catches_all or binder.spreads or not one_decoder:
        return lambda call: call_any(call, decode(call.input))
    if binder.whole:
        return _whole_caller(function, binder, call_any)
    return _keys_caller(function, binder, call_any)


def _keys_caller(function: Callable[..., Any], binder: Binder, otherwise: Callable[[TaskCall, Any], Any]) -> Caller:
    """One decoder reads an object's keys straight into the arguments, converted. No dict is made of them."""
    keys, values_of = _keys_decoder(binder)
    hand_over = _handing_over(function, binder)

    # The values are read in a try of its own, so that an error of the function is never taken for one of its input.
    def call_by_keys(call: TaskCall) -> Any:
        try:
            values = values_of(keys(call.input))
        except msgspec.ValidationError:  # something is missing, or wrong, or the payload is no object
            return otherwise(call, decode(call.input))
        return hand_over(values, call)

    return call_by_keys


def _whole_caller(function: Callable[..., Any], binder: Binder, otherwise: Callable[[TaskCall, Any], Any]) -> Caller:
    """The only parameter takes the whole payload, unless a key is named like it; a second decoder reads that."""
    only = binder.required[0]
    hand_over = _handing_over(function, binder)
    conversion = binder.conversions.get(only)
    if conversion is None:

        def call_plain(call: TaskCall) -> Any:
            payload = decode(call.input)
            named = type(payload) is dict and only in payload
            return hand_over((payload[only] if named else payload,), call)

        return call_plain

    keys, values_of = _keys_decoder(binder)
    whole = conversion.decode

    def call_typed(call: TaskCall) -> Any:
        raw = call.input
        try:
            if not binder.always_whole and raw[:1] == b"{":
                values = values_of(keys(raw))
                if values[0] is not msgspec.UNSET:
                    return hand_over(values, call)
            values = (whole(raw),)
        except msgspec.ValidationError:
            return otherwise(call, decode(raw))
        return hand_over(values, call)

    return call_typed


def _keys_decoder(binder: Binder) -> tuple[Callable[[bytes], Any], Callable[[Any], tuple[Any, ...]]]:
    """What reads an object's keys as the parameters, in their order. A key that is not sent has the parameter's default,
    or UNSET where the default must not be shared (and where the whole payload may be meant)."""
    fields: list[Any] = []
    for number, parameter in enumerate(binder.wanted):
        conversion = binder.conversions.get(parameter.name)
        asked = Any if conversion is None else conversion.annotation
        if parameter.default is EMPTY and not binder.whole:
            fields.append((f"f{number}", asked))
        else:
            default = parameter.default if _is_constant(parameter.default) else msgspec.UNSET
            fields.append((f"f{number}", asked, default))
    names = {f"f{number}": parameter.name for number, parameter in enumerate(binder.wanted)}
    return decoder(msgspec.defstruct("Arguments", fields, rename=names, kw_only=True, gc=False)), astuple


def _handing_over(function: Callable[..., Any], binder: Binder) -> Callable[[tuple[Any, ...], TaskCall], Any]:
    """How the values go to the function: by position where that can be, else each as its parameter wants it."""
    kinds = {p.kind for p in binder.parameters}
    by_position = kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    constant = all(p.default is EMPTY or _is_constant(p.default) for p in binder.wanted)
    if by_position and constant and not binder.context:
        return lambda values, call: function(*values)
    if by_position and constant and binder.context == (binder.parameters[0].name,):
        return lambda values, call: function(TaskContext(call), *values)
    names = tuple(p.name for p in binder.wanted)

    def hand_over(values: tuple[Any, ...], call: TaskCall) -> Any:
        named = {name: value for name, value in zip(names, values, strict=True) if value is not msgspec.UNSET}
        positional, named = binder.placed(named, TaskContext(call))
        return function(*positional, **named)

    return hand_over


def _is_constant(default: Any) -> bool:
    return default is None or type(default) in (bool, int, float, str)


def _listed(names: typing.Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a number"
