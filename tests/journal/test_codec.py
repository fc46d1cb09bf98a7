"""A turn as bytes and back: nothing is lost, nothing damaged is taken for sound, and old rows stay readable."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
import pytest
from events_made import EVENTS, KINDS, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from mainspring.errors import StoreCorrupt, StoreTooNew
from mainspring.journal import codec
from mainspring.journal.codec import BLOB_BYTES_MIN, ROW_BYTES_MAX, decode_turn, encode_turn
from mainspring.journal.records import BlobRow, TurnRow
from mainspring.machine import events as ev

AT = 1_700_000_000_000


def _body(parts: list[Any]) -> TurnRow:
    body = msgspec.json.encode(parts)
    return TurnRow(1, 1, body, crc32(body))


def _decoded(rows: tuple[TurnRow, ...], blobs: tuple[BlobRow, ...]) -> list[Any]:
    return [event for row in rows for event in decode_turn(row, blobs).events]


@pytest.mark.apart
@settings(deadline=None, max_examples=200)
@given(st.lists(EVENTS, max_size=6), st.integers(0, 2**53), st.text(max_size=20))
def test_every_event_comes_back(events: list[ev.Event], at: int, message: str) -> None:
    rows, blobs = encode_turn(7, 3, at, message, events)
    assert plain(_decoded(rows, blobs)) == plain(events)
    (row,) = rows
    body = decode_turn(row)
    assert (row.instance, row.seq, body.version, body.at, body.message) == (7, 3, codec.VERSION, at, message)


def test_no_event_is_left_out_of_the_union() -> None:
    made = {kind for kind in vars(ev).values() if isinstance(kind, type) and issubclass(kind, ev.Event)} - {ev.Event}
    assert made == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields_that_an_old_row_lacks_take_their_defaults(kind: type[ev.Event]) -> None:
    fields = msgspec.structs.fields(kind)
    required = sum(field.required for field in fields)
    stand_in: dict[Any, Any] = {str: "x", int: 1, Raw: {"a": 1}, ev.ErrorRecord: ["T", "m"]}
    values = [stand_in.get(field.type, []) for field in fields[:required]]
    (event,) = decode_turn(_body([1, AT, "", [[kind.__name__, *values]]])).events
    for field in fields[required:]:
        assert plain(getattr(event, field.name)) == plain(field.default)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields_are_only_ever_optional_after_the_first_that_is(kind: type[ev.Event]) -> None:
    """Positional encoding: a required field after an optional one could never be appended again."""
    required = [field.required for field in msgspec.structs.fields(kind)]
    assert required == sorted(required, reverse=True)


def test_a_damaged_byte_is_always_found() -> None:
    (row,), _ = encode_turn(
        1, 1, AT, "m", [ev.NodeCompleted("a", 1, 1, Raw(b'{"n":1}'), (0,)), ev.NodeStarted("b", 1, 1)]
    )
    for place in range(len(row.body)):
        for bit in range(8):
            damaged = bytearray(row.body)
            damaged[place] ^= 1 << bit
            with pytest.raises(StoreCorrupt):
                decode_turn(TurnRow(row.instance, row.seq, bytes(damaged), row.crc))
    for length in range(len(row.body)):
        with pytest.raises(StoreCorrupt):
            decode_turn(TurnRow(row.instance, row.seq, row.body[:length], row.crc))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=1))
def test_nonsense_with_a_right_checksum_is_corrupt_too(place: int, byte: bytes) -> None:
    """Another program's bytes: the form is wrong, and no other exception may come out."""
    (row,), _ = encode_turn(1, 1, AT, "m", [ev.NodeStarted("b", 1, 1)])
    at = place % len(row.body)
    body = row.body[:at] + byte + row.body[at + 1 :]
    try:
        decode_turn(TurnRow(1, 1, body, crc32(body)))
    except (StoreCorrupt, StoreTooNew):
        pass


@pytest.mark.parametrize(
    "parts",
    [
        [codec.VERSION + 1, AT, "", []],
        [codec.VERSION + 1, AT, "", [["NodeTeleported", "a", 1]]],
        [codec.VERSION + 1, {"a": "different"}],
    ],
)
def test_a_later_version_says_so(parts: list[Any]) -> None:
    with pytest.raises(StoreTooNew, match=f"format {codec.VERSION + 1}"):
        decode_turn(_body(parts))


def test_an_unknown_event_of_this_version_is_corrupt() -> None:
    with pytest.raises(StoreCorrupt, match="row 1 of instance 1"):
        decode_turn(_body([1, AT, "", [["NodeTeleported", "a", 1]]]))


def test_large_values_stand_beside_their_row() -> None:
    large = Raw(b'"' + b"x" * (BLOB_BYTES_MIN + 1) + b'"')
    small = Raw(b'"' + b"y" * (BLOB_BYTES_MIN - 10) + b'"')
    events = [
        ev.NodeCompleted("a", 1, 1, large),
        ev.NodeCompleted("b", 1, 1, small),
        ev.VariablesSet(large, "c", 1),
        ev.InstanceStarted("w", "v", large, large),
    ]
    rows, blobs = encode_turn(1, 5, AT, "m", events)
    assert [(blob.seq, blob.ordinal, len(blob.body)) for blob in blobs] == [(5, n, len(bytes(large))) for n in range(4)]
    assert len(rows[0].body) < 2 * BLOB_BYTES_MIN
    assert plain(_decoded(rows, blobs)) == plain(events)
    for gone in range(4):
        with pytest.raises(StoreCorrupt, match=f"blob {gone}"):
            _decoded(rows, blobs[:gone] + blobs[gone + 1 :])
    spoilt = msgspec.structs.replace(blobs[2], body=blobs[2].body[:-1])
    with pytest.raises(StoreCorrupt, match="blob 2"):
        _decoded(rows, (*blobs[:2], spoilt, blobs[3]))


def test_a_turn_over_the_bound_is_split() -> None:
    value = Raw(b'"' + b"x" * (BLOB_BYTES_MIN - 10) + b'"')
    skips = tuple(ev.Skip(f"node-{number}", "r" * 200) for number in range(2_000))
    events: list[ev.Event] = [ev.NodeCompleted(f"n{number}", 1, 1, value) for number in range(100)]
    events += [ev.NodesSkipped(skips)] * 4
    rows, blobs = encode_turn(1, 11, AT, "m", events)
    assert not blobs
    assert [row.seq for row in rows] == list(range(11, 11 + len(rows)))
    assert len(rows) > 4
    assert max(len(row.body) for row in rows) <= ROW_BYTES_MAX
    assert plain(_decoded(rows, blobs)) == plain(events)


def test_a_split_turn_consumes_its_message_once_with_its_last_row() -> None:
    value = Raw(b'"' + b"x" * (BLOB_BYTES_MIN - 10) + b'"')
    rows, _ = encode_turn(1, 1, AT, "m", [ev.NodeCompleted(f"n{n}", 1, 1, value) for n in range(90)])
    assert [decode_turn(row).message for row in rows] == [""] * (len(rows) - 1) + ["m"]


def test_blobs_of_a_split_turn_find_their_rows() -> None:
    value = Raw(b'"' + b"x" * (BLOB_BYTES_MIN - 10) + b'"')
    events: list[ev.Event] = []
    for number in range(90):
        large = Raw(b'"' + str(number).encode() * BLOB_BYTES_MIN + b'"')
        events += [ev.NodeCompleted(f"n{number}", 1, 1, value), ev.NodeCompleted(f"m{number}", 1, 1, large)]
    rows, blobs = encode_turn(1, 1, AT, "", events)
    assert len(rows) > 2
    assert len(blobs) == 90
    assert plain(_decoded(rows, blobs)) == plain(events)
