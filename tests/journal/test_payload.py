"""What a task may return: the listed encodings, and an error that names the place for everything else."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import re
import uuid
from collections import namedtuple
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import PayloadError
from mainspring.journal.payload import encode_payload

Pair = namedtuple("Pair", "a b")


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Data:
    n: Any


class Record(msgspec.Struct):
    n: Any


class Foreign:
    """A class that nobody listed."""


SELF: list[Any] = []
SELF.append(SELF)

UTC = dt.timezone.utc  # noqa: UP017 (shown beside the others)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({"a": [1, 2.5, True, None, "x"]}, {"a": [1, 2.5, True, None, "x"]}),
        ((1, (2,)), [1, [2]]),
        ({3}, [3]),
        (frozenset(["x"]), ["x"]),
        (Pair(1, 2), [1, 2]),
        (Data(Record([1])), {"n": {"n": [1]}}),
        (Colour.RED, "red"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006Z"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(seconds=90), "PT90S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (b"\x00\xff", "AP8="),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
        (-(2**63), -(2**63)),
        (2**64 - 1, 2**64 - 1),
        ({"digits": "9" * 40}, {"digits": "9" * 40}),
        (None, None),
        ({"a": None, "null": "null"}, {"a": None, "null": "null"}),
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", str(value)),
)
def test_listed_encodings(value: Any, seen: Any) -> None:
    assert msgspec.json.decode(encode_payload(value, "output")) == seen


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (float("nan"), "output", "nan is no JSON number"),
        ({"items": [{}, {"price": float("inf")}]}, "output.items[1].price", "inf is no JSON number"),
        ({"a": [None, float("-inf")]}, "output.a[1]", "-inf is no JSON number"),
        (Data([Record(float("nan"))]), "output.n[0].n", "nan"),
        (2**64, "output", "64 bits"),
        ({"a": {"b": [0, -(2**63) - 1]}}, "output.a.b[1]", "64 bits"),
        (Foreign(), "output", "Foreign"),
        ({"a": [1, Foreign()]}, "output.a[1]", "Foreign"),
        ({"a": {(1, 2): 3}}, "output.a", "(1, 2)"),
        ({None: 1}, "output", "None"),
        (["\ud800"], "output[0]", "surrogates"),
        (1j, "output", "complex"),
        (lambda: 1, "output", "function"),
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", str(value)),
)
def test_everything_else_names_its_place(value: Any, path: str, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        encode_payload(value, "output")
    assert refused.value.path == path
    assert str(refused.value).startswith(f"{path}: ")
    assert reason in str(refused.value)


def test_what_holds_itself_is_an_error() -> None:
    with pytest.raises(PayloadError, match="nested more than 200 deep, or in itself"):
        encode_payload(SELF, "output")


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_goes_through_unchanged(value: Any) -> None:
    assert msgspec.json.decode(encode_payload(value, "output")) == value
