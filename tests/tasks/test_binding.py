# ruff: noqa: F821, UP037
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mainspring.messaging.task import TaskCall
from mainspring.tasks.binding import MissingParameter, caller
from mainspring.tasks.context import TaskContext

ABSENT: Any = object()


def nothing():
    return ("nothing",)


def one(order):
    return order


def scalar(amount: float):
    return amount


def maybe(amount: float | None):
    return amount


def two(a, b):
    return (a, b)


def defaults(a, b=2):
    return (a, b)


def only_default(amount=0):
    return amount


def catch_all(**request):
    return request


def keyword_only(*, a, b=5):
    return (a, b)


def positional_only(a, b=3, /, c=4):
    return (a, b, c)


def spread(*items):
    return items


def with_rest(a, **rest):
    return (a, rest)


@pytest.mark.parametrize(
    ("function", "payload", "expected"),
    [
        (nothing, None, ("nothing",)),
        (nothing, {"a": 1}, ("nothing",)),
        (nothing, 5, ("nothing",)),
        (one, 5, 5),
        (one, None, None),
        (one, [1], [1]),
        (one, {"order": 7, "x": 1}, 7),
        (one, {"x": 1}, {"x": 1}),
        (scalar, 5, 5),
        (scalar, {"amount": 3}, 3),
        (maybe, {"amount": 3}, 3),
        (two, {"a": 1, "b": 2, "c": 3}, (1, 2)),
        (defaults, {"a": 1}, (1, 2)),
        (defaults, {"a": 1, "b": 9}, (1, 9)),
        (defaults, 4, (4, 2)),
        (only_default, None, 0),
        (only_default, {}, 0),
        (only_default, 3, 3),
        (catch_all, None, {}),
        (catch_all, {"a": 1}, {"a": 1}),
        (keyword_only, {"a": 1, "z": 0}, (1, 5)),
        (positional_only, {"a": 1, "c": 9}, (1, 3, 9)),
        (spread, 5, (5,)),
        (spread, None, ()),
        (with_rest, {"a": 1, "b": 2}, (1, {"b": 2})),
        (one, "text", "text"),
        (one, True, True),
    ],
)
def test_a_payload_finds_its_parameters(
    function: Callable[..., Any], payload: Any, expected: Any, new_call: Callable[..., TaskCall]
) -> None:
    assert caller(function)(new_call(payload)) == expected


@pytest.mark.parametrize(
    ("function", "payload", "named"),
    [
        (two, {"a": 1}, "`b`"),
        (two, 5, "`a` and `b`"),
        (two, None, "`a` and `b`"),
        (scalar, {"total": 3}, "`amount`"),
        (maybe, {"total": 3}, "`amount`"),
        (keyword_only, {}, "`a`"),
        (with_rest, {"b": 1}, "`a`"),
        (catch_all, 5, "an object"),
    ],
)
def test_a_missing_parameter_is_named_and_fatal(
    function: Callable[..., Any], payload: Any, named: str, new_call: Callable[..., TaskCall]
) -> None:
    with pytest.raises(MissingParameter, match=named) as raised:
        caller(function)(new_call(payload))
    assert raised.value.fatal


def first(ctx: TaskContext, a):
    return (ctx.attempt, a)


def last(a, ctx: TaskContext):
    return (ctx.attempt, a)


def optional(a, *, ctx: TaskContext | None = None):
    return (ctx and ctx.attempt, a)


def by_text(a, ctx: "ms.TaskContext"):
    return (ctx.attempt, a)


def by_optional_text(a, ctx: "ms.TaskContext | None" = None):
    return (ctx and ctx.attempt, a)


def before_positional(a, ctx: TaskContext, /):
    return (ctx.attempt, a)


@pytest.mark.parametrize("function", [first, last, optional, by_text, by_optional_text, before_positional])
def test_the_context_goes_where_its_annotation_stands(
    function: Callable[..., Any], new_call: Callable[..., TaskCall]
) -> None:
    assert caller(function)(new_call({"a": 1}, attempt=2)) == (2, 1)
    assert caller(function)(new_call(8, attempt=2)) == (2, 8)


def test_a_key_named_as_the_context_does_not_replace_it(new_call: Callable[..., TaskCall]) -> None:
    def greedy(ctx: TaskContext, **rest: Any) -> Any:
        return ctx.attempt, rest

    assert caller(greedy)(new_call({"ctx": 5, "a": 1})) == (1, {"a": 1})


def test_an_error_of_the_function_is_no_missing_parameter(new_call: Callable[..., TaskCall]) -> None:
    def broken(a: int, b: int) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        caller(broken)(new_call({"a": 1, "b": 2}))
