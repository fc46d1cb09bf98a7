"""From JSON to what an annotation asks for (E9), compiled once per function.

Whatever msgspec reads is understood: dataclasses, msgspec Structs, TypedDict, named tuples, attrs classes, lists, dicts,
tuples and sets of them, Literal, Enum, datetime, date, time, timedelta, Decimal, UUID, bytes (base64), numbers and texts with
`Annotated` bounds; and Path. Nothing is coerced: a text is no number, a number is no text; an integer will do for a float.
A union that msgspec cannot tell apart (two dataclasses, `str | Path`) is tried member by member, in the order written.
What cannot be held (a text that cannot be read, `list[A | B]` of two dataclasses) leaves the value as it came.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import Struct

from mainspring.journal.payload import encode_payload
from mainspring.messaging.task import Output
from mainspring.tasks.annotations import EMPTY, is_union, return_annotation
from mainspring.tasks.mismatch import InputMismatch, OutputMismatch, explained

Decode = Callable[[bytes], Any]

_ANYTHING = (EMPTY, Any, object)
_UNREADABLE = (TypeError, NameError, AttributeError, ValueError)


class Conversion(Struct, frozen=True):
    """One annotation, compiled: `decode` reads JSON into what it asks for, or raises msgspec.ValidationError."""

    annotation: Any
    decode: Decode
    native: bool = True
    """Whether the annotation may stand in a type that msgspec reads; else it is a union tried member by member."""

    def __call__(self, value: Any, place: str) -> Any:
        """A decoded value as the annotation has it. Raises InputMismatch, which names the place."""
        try:
            return self.decode(msgspec.json.encode(value))
        except msgspec.ValidationError as error:
            raise InputMismatch(*explained(error, value, place, self.decode, self.annotation)) from None


def conversion_of(annotation: Any, default: Any = EMPTY) -> Conversion | None:
    """How a value becomes what is asked for; None where nothing is asked, or nothing that can be held.

    A parameter with the default None takes null, whether or not its annotation says so.
    """
    if annotation in _ANYTHING or isinstance(annotation, str):
        return None
    if default is None:
        annotation = typing.Optional[annotation]  # noqa: UP045 - `|` is not defined for all that may stand here
    try:
        return Conversion(annotation, decoder(annotation))
    except _UNREADABLE:
        pass
    try:
        return Conversion(annotation, _first_of(annotation), native=False) if is_union(annotation) else None
    except _UNREADABLE:
        return None


def why_unchecked(annotation: Any) -> str | None:
    """Why an annotation that asks for something cannot be held; None where it can, or asks nothing."""
    if annotation in _ANYTHING or conversion_of(annotation) is not None:
        return None
    if isinstance(annotation, str):
        return "its text cannot be read in the function's module"
    try:
        msgspec.json.Decoder(annotation)
    except Exception as error:
        return str(error).replace("`", "")
    return None


def decoder(annotation: Any) -> Decode:
    """What reads JSON as a type. Raises TypeError and others for types that msgspec cannot read."""
    return msgspec.json.Decoder(annotation, dec_hook=_other).decode


def _first_of(union: Any) -> Decode:
    decoders = [decoder(each) for each in typing.get_args(union)]

    def decode(raw: bytes) -> Any:
        refusals: list[msgspec.ValidationError] = []
        for each in decoders:
            try:
                return each(raw)
            except msgspec.ValidationError as error:
                refusals.append(error)
        raise max(refusals, key=_depth)  # the one that got farthest says most

    return decode


def _depth(error: Exception) -> int:
    text = str(error)
    return text.count(".") + text.count("[") + 2 * text.startswith("Object missing")


def _other(asked: Any, value: Any) -> Any:
    """What msgspec does not know by itself."""
    base = typing.get_origin(asked) or asked
    if isinstance(base, type) and issubclass(base, PurePath):
        if not isinstance(value, str):
            raise ValueError(f"Expected `path`, got `{type(value).__name__}`")
        return base(value)
    return value  # msgspec then asks whether it is an instance, which is right for abstract classes


def message_type(annotation: Any) -> bool:
    """Whether an annotation declares a message: a dataclass, Struct, TypedDict, named tuple, enumeration, Literal in it."""
    from msgspec import inspect

    declared = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)
    chosen = (inspect.EnumType, inspect.LiteralType)

    def declares(info: Any) -> bool:
        if isinstance(info, declared + chosen):
            return True
        inner = [getattr(info, name, None) for name in ("item_type", "key_type", "value_type")]
        inner += [*getattr(info, "item_types", ()), *getattr(info, "types", ())]
        return any(declares(each) for each in inner if each is not None)

    try:
        return declares(inspect.type_info(annotation))
    except Exception:
        return is_union(annotation) and any(message_type(each) for each in typing.get_args(annotation))


def own_keys(annotation: Any) -> dict[str, bool] | None:
    """The keys of an object type, each with whether it is required; None where it is no type with keys of its own."""
    from msgspec import inspect

    try:
        info = inspect.type_info(annotation)
    except Exception:
        return None
    if not isinstance(info, inspect.StructType | inspect.DataclassType | inspect.TypedDictType):
        return None
    if getattr(info, "array_like", False):
        return None
    return {field.encode_name: field.required for field in info.fields}


def output_check(function: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """What holds a function to the message that it says it returns; None where it declares none.

    What it gives back is the output as it goes on. A declared type is that of the primary output: what leaves by another
    port is not held to it.
    """
    declared = _without_output(return_annotation(function))
    if declared in _ANYTHING or not message_type(declared):
        return None
    conversion = conversion_of(declared)
    return None if conversion is None else _check(conversion)


def _check(conversion: Conversion) -> Callable[[Any], Any]:
    def check(output: Any) -> Any:
        value = output.value if type(output) is Output else output
        if type(output) is Output and output.port is not None:
            return output
        raw = encode_payload(value, "output")
        try:
            conversion.decode(raw)
        except msgspec.ValidationError as error:
            known = msgspec.json.decode(raw)
            told = explained(error, known, "output", conversion.decode, conversion.annotation)
            raise OutputMismatch(*told) from None
        return msgspec.Raw(raw)  # it is encoded already

    return check


def _without_output(annotation: Any) -> Any:
    """`Receipt | ms.Output` declares a Receipt."""
    if annotation is Output:
        return EMPTY
    if not is_union(annotation) or Output not in typing.get_args(annotation):
        return annotation
    rest = tuple(each for each in typing.get_args(annotation) if each is not Output)
    return typing.Union[rest]  # noqa: UP007 - made of a tuple
