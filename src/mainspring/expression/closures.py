"""Parts of an expression as closures over the scope, specialised for what conditions are mostly made of.

A `Code` is what the parser handles: the closure, and what is known of it before it runs (that it is a constant, or a
path from a root), so that the next closure around it can do without a call.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mainspring.expression.functions import Function
from mainspring.expression.steps import Place, charge_whole
from mainspring.expression.values import (
    arithmetic,
    contained,
    equal,
    integer_max,
    is_number,
    member,
    negate,
    order,
    truthy,
)

Run = Callable[[Any], Any]

_fast: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class FieldTest(NamedTuple):
    """A comparison of one field of a root with a constant, taken apart. `fast` serves values of the constant's `kind`."""

    root: str
    name: str
    kind: type
    value: Any
    fast: Callable[[Any, Any], Any]
    slow: Callable[[Any, Any], bool]


class Code:
    __slots__ = ("constant", "field", "path", "run", "value")

    def __init__(
        self,
        run: Run,
        *,
        constant: bool = False,
        value: Any = None,
        path: tuple[Any, ...] | None = None,
        field: FieldTest | None = None,
    ) -> None:
        self.run = run
        self.field = field
        self.constant = constant
        self.value = value
        self.path = path


def constant(value: Any) -> Code:
    return Code(lambda scope: value, constant=True, value=value)


def path(root: str, keys: tuple[str | int, ...]) -> Code:
    """A root and constant keys, the usual operand; one or two names have a closure of their own."""
    code = (root, *keys)
    if not keys:
        return Code(lambda scope: scope.get(root), path=code)
    if len(keys) == 1 and isinstance(keys[0], str):
        return Code(_one_name(root, keys[0]), path=code)
    if len(keys) == 2 and isinstance(keys[0], str) and isinstance(keys[1], str):
        return Code(_two_names(root, keys[0], keys[1]), path=code)

    def run(scope: Any) -> Any:
        value = scope.get(root)
        for key in keys:
            if value is None:
                return None
            value = member(value, key)
        return value

    return Code(run, path=code)


def _one_name(root: str, name: str) -> Run:
    def run(scope: Any) -> Any:
        value = scope.get(root)
        return value.get(name) if type(value) is dict else member(value, name)

    return run


def _two_names(root: str, first: str, second: str) -> Run:
    def run(scope: Any) -> Any:
        value = scope.get(root)
        value = value.get(first) if type(value) is dict else member(value, first)
        return value.get(second) if type(value) is dict else member(value, second)

    return run


def steps(base: Code, keys: Sequence[Code]) -> Code:
    """A chain of accesses on any value, with computed keys among them; flat, so that its length costs no depth."""
    start = base.run
    if len(keys) == 1 and keys[0].constant:
        key = keys[0].value
        return Code(lambda scope: member(start(scope), key))
    runs = tuple(key.run for key in keys)

    def run(scope: Any) -> Any:
        value = start(scope)
        for key in runs:
            value = member(value, key(scope))
        return value

    return Code(run)


def all_of(parts: Sequence[Code]) -> Code:
    runs = tuple(part.run for part in parts)
    if len(runs) == 2:
        first, second = runs
        one, other = parts[0].field, parts[1].field
        if one is not None and other is not None and one.root == other.root:
            return Code(_two_fields(one, other, first, second))

        def both(scope: Any) -> Any:
            value = first(scope)
            if value is not True and not truthy(value):
                return False
            value = second(scope)
            return value is True or truthy(value)

        return Code(both)

    def run(scope: Any) -> Any:
        for part in runs:
            value = part(scope)
            if value is not True and not truthy(value):
                return False
        return True

    return Code(run)


def _two_fields(one: FieldTest, other: FieldTest, first: Run, second: Run) -> Run:
    """`output.rows > 0 && output.status == "ok"`, the usual condition, in one call instead of three."""
    root, name, kind, value, fast, slow = one
    _, name_2, kind_2, value_2, fast_2, slow_2 = other

    def both(scope: Any) -> Any:
        fields = scope.get(root)
        if type(fields) is not dict:
            return bool(first(scope) and second(scope))
        x = fields.get(name)
        if not (fast(x, value) if type(x) is kind else slow(x, value)):
            return False
        x = fields.get(name_2)
        return fast_2(x, value_2) if type(x) is kind_2 else slow_2(x, value_2)

    return both


def any_of(parts: Sequence[Code]) -> Code:
    runs = tuple(part.run for part in parts)

    def run(scope: Any) -> Any:
        for part in runs:
            value = part(scope)
            if value is True or truthy(value):
                return True
        return False

    return Code(run)


def negation(part: Code) -> Code:
    inner = part.run
    return Code(lambda scope: not truthy(inner(scope)))


def minus(part: Code, place: Place) -> Code:
    if part.constant and is_number(part.value) and -part.value <= integer_max:
        return constant(-part.value)
    inner = part.run
    return Code(lambda scope: negate(inner(scope), place))


def compare(symbol: str, left: Code, right: Code, place: Place) -> Code:
    if right.constant:
        return _against_constant(symbol, left, right.value, place)
    slow = _rule(symbol, place)
    fast = _fast[symbol]
    a, b = left.run, right.run

    def run(scope: Any) -> Any:
        x, y = a(scope), b(scope)
        kind = type(x)
        # Two values of one of these types are as Python has them; True and 1 never meet, and NaN has no order there.
        if kind is type(y) and (kind is int or kind is str or kind is float):
            return fast(x, y)
        return slow(x, y)

    return Code(run)


def _against_constant(symbol: str, left: Code, value: Any, place: Place) -> Code:
    slow = _rule(symbol, place)
    fast = _fast[symbol]
    kind = type(value)
    if kind is not int and kind is not str and kind is not float:
        a = left.run
        return Code(lambda scope: slow(a(scope), value))
    if left.path is not None and len(left.path) == 2 and isinstance(left.path[1], str):
        root, name = left.path

        def compare_field(scope: Any) -> Any:
            x = scope.get(root)
            x = x.get(name) if type(x) is dict else member(x, name)
            return fast(x, value) if type(x) is kind else slow(x, value)

        return Code(compare_field, field=FieldTest(root, name, kind, value, fast, slow))
    a = left.run

    def run(scope: Any) -> Any:
        x = a(scope)
        return fast(x, value) if type(x) is kind else slow(x, value)

    return Code(run)


def _rule(symbol: str, place: Place) -> Callable[[Any, Any], bool]:
    if symbol == "==":
        return lambda x, y: equal(x, y, place)
    if symbol == "!=":
        return lambda x, y: not equal(x, y, place)
    wanted = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[symbol]
    return lambda x, y: order(x, y, place) in wanted


def within(left: Code, right: Code, place: Place) -> Code:
    a, b = left.run, right.run
    if right.constant and isinstance(right.value, list) and all(type(item) is str for item in right.value):
        items = list(right.value)
        names = frozenset(items)

        def among(scope: Any) -> Any:
            x = a(scope)
            return x in names if type(x) is str else contained(x, items, place)

        return Code(among)
    return Code(lambda scope: contained(a(scope), b(scope), place))


def fold(first: Code, rest: Sequence[tuple[str, Code, Place]]) -> Code:
    """Arithmetic of one precedence, left to right; flat, so that a long sum is not a deep one."""
    start = first.run
    if len(rest) == 1:
        symbol, right, place = rest[0]
        other = right.run
        return Code(lambda scope: arithmetic(symbol, start(scope), other(scope), place))
    parts = tuple((symbol, part.run, place) for symbol, part, place in rest)

    def run(scope: Any) -> Any:
        value = start(scope)
        for symbol, part, place in parts:
            value = arithmetic(symbol, value, part(scope), place)
        return value

    return Code(run)


def choice(test: Code, then: Code, otherwise: Code) -> Code:
    a, b, c = test.run, then.run, otherwise.run
    return Code(lambda scope: b(scope) if truthy(a(scope)) else c(scope))


def listing(items: Sequence[Code], place: Place) -> Code:
    runs = tuple(item.run for item in items)

    # Always a new list: what an expression gives may be changed by whoever gets it.
    def run(scope: Any) -> Any:
        return [item(scope) for item in runs]

    if all(item.constant for item in items):
        return Code(run, constant=True, value=[item.value for item in items])

    def run_charged(scope: Any) -> Any:
        value = run(scope)
        charge_whole(value, place)
        return value

    return Code(run_charged)


def call(function: Function, arguments: Sequence[Code], place: Place) -> Code:
    target = function.call
    runs = tuple(argument.run for argument in arguments)
    if len(runs) == 1:
        only = runs[0]
        return Code(lambda scope: target(place, only(scope)))
    return Code(lambda scope: target(place, *[run(scope) for run in runs]))
