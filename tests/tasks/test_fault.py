from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.tasks import Fatal
from mainspring.tasks import fault as fault_module
from mainspring.tasks.fault import STACK_BYTES_MAX, describe


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __getattr__(self, name: str) -> Any:
        raise ValueError(name)


class Rich(ConnectionError):
    def __init__(self) -> None:
        super().__init__("refused")
        self.code, self.retry_after, self.context, self.fatal = "E7", 1.5, {"order": 3}, True


class Unsound(Exception):
    code = True
    retry_after = float("nan")
    context = {"x": object()}
    fatal = "yes"


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


def test_what_an_error_says_is_kept() -> None:
    fault = describe(caught(Rich()))
    assert (fault.type, fault.message, fault.code, fault.retry_after) == ("Rich", "refused", "E7", 1500)
    assert fault.fatal and fault.context == {"order": 3}
    assert {"Rich", f"{__name__}.Rich", "OSError", "builtins.OSError", "Exception"} <= set(fault.kinds)
    assert fault.stack and "in caught" in fault.stack


def test_fatal() -> None:
    fault = describe(Fatal("declined", code=7))
    assert (fault.type, fault.fatal, fault.code, fault.stack) == ("Fatal", True, 7, None)


def fails_at(first: bool) -> None:
    if first:
        raise ValueError("at the first place")
    raise ValueError("at the second place")


def test_a_stack_is_that_of_its_own_error_though_its_text_is_kept() -> None:
    stacks = []
    for first in (True, False, True):
        with pytest.raises(ValueError) as raised:
            fails_at(first)
        stacks.append(describe(raised.value).stack or "")
    assert stacks[0] == stacks[2]
    assert "at the first place" in stacks[0].splitlines()[-2] and "at the second place" in stacks[1].splitlines()[-2]


def test_texts_of_stacks_are_kept_up_to_a_bound() -> None:
    for number in range(fault_module.TEXTS_MAX + 10):
        scope: dict[str, Any] = {}
        exec(f"def fail():\n    raise ValueError({number})", scope)
        with pytest.raises(ValueError) as raised:
            scope["fail"]()
        assert f"ValueError: {number}" in (describe(raised.value).stack or "")
    assert len(fault_module._texts) <= fault_module.TEXTS_MAX


def deep(count: int) -> None:
    deep(count + 1)


def ring() -> BaseException:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    return caught(one)


HOSTILE = [
    *(Hostile(), Unsound(), ValueError("\ud800"), ValueError("x" * 100_000), KeyError(), OSError(5, "io")),
    *(KeyboardInterrupt(), BaseExceptionGroup("g", [ValueError()]), ring()),
]


# By number: pytest asks an exception given as a parameter for its `__name__`, and a hostile one refuses.
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_describing_never_raises_and_can_be_stored(number: int) -> None:
    fault = describe(caught(HOSTILE[number]))
    assert len(msgspec.json.encode(fault)) < 40_000
    assert fault.message


def test_unsound_attributes_are_left_out() -> None:
    fault = describe(Unsound("x"))
    assert (fault.code, fault.retry_after, fault.context, fault.fatal) == (None, None, None, False)


def test_a_stack_is_cut() -> None:
    try:
        deep(0)
    except RecursionError as error:
        fault = describe(error)
    assert fault.stack and len(fault.stack.encode()) <= STACK_BYTES_MAX
