"""The bound on the work of one evaluation: what is more than a constant amount of it is charged before it is done.

Comparisons with a constant, arithmetic and paths take constant time each, and `nodes_max` bounds them. Functions, `in`,
lists and the equality of two values may go through all that a payload holds; an expression with one of those is `metered`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mainspring.errors import ExpressionError

steps_max = 1_000_000
characters_per_step = 64

Run = Callable[[Any], Any]


class Place:
    """Where in which expression: what a fault at run time says of itself."""

    __slots__ = ("position", "text")

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def fault(self, message: str) -> ExpressionError:
        return ExpressionError(message, self.text, self.position)


class Steps:
    """What is left to one evaluation, or to several that share it."""

    __slots__ = ("left", "most", "shared")

    def __init__(self, most: int, *, shared: bool = False) -> None:
        self.left = self.most = most
        self.shared = shared


# Not an argument of all closures: most never charge. Each thread and task has its own.
_steps: ContextVar[Steps | None] = ContextVar("steps", default=None)


def metered(run: Run) -> Run:
    """`run` with `steps_max` for each call."""

    def run_metered(scope: Any) -> Any:
        steps = _steps.get()
        if steps is not None and steps.shared:
            return run(scope)
        token = _steps.set(Steps(steps_max))
        try:
            return run(scope)
        finally:
            # What is not metered must not pay from what is left here.
            _steps.reset(token)

    return run_metered


@contextmanager
def sharing(most: int) -> Iterator[None]:
    """All evaluations within take of the same `most` steps: many short ones are one long one to whoever waits."""
    token = _steps.set(Steps(most, shared=True))
    try:
        yield
    finally:
        _steps.reset(token)


def charge(count: int, place: Place) -> None:
    """Pay for `count` elements that will be visited. Outside of a metered evaluation nothing is paid."""
    steps = _steps.get()
    if steps is not None:
        steps.left -= count
        if steps.left < 0:
            raise place.fault(f"the evaluation takes more than steps_max, {steps.most} steps")


def charge_text(text: str, place: Place) -> None:
    """Pay for the characters of a text."""
    if len(text) >= characters_per_step:
        charge(len(text) // characters_per_step, place)


def charge_whole(value: Any, place: Place) -> None:
    """Pay for all that `value` holds, as it will be written out. A literal list may name one large value many times."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            charge_text(item, place)
        elif isinstance(item, list | tuple):
            charge(len(item), place)
            waiting.extend(item)
        elif isinstance(item, Mapping):
            charge(len(item), place)
            waiting.extend(item.values())
