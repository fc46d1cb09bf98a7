"""What is due, found without a look at all instances: as a look at all of them would have it, whatever happens to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.journal.records import Change, InboxMessage, InstanceRecord, Write
from mainspring.stores.contents import Contents, Kept

NUMBERS = st.integers(1, 5)
EPOCHS = st.integers(1, 3)
WAKES = st.none() | st.integers(1, 9)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("become"), NUMBERS, st.integers(0, 3), WAKES),
        st.tuples(st.just("end"), NUMBERS),
        st.tuples(st.just("post"), NUMBERS),
        st.tuples(st.just("consume"), NUMBERS),
        st.tuples(st.just("take"), NUMBERS, EPOCHS),
        st.tuples(st.just("remove"), NUMBERS),
        st.tuples(st.just("copy")),
    ),
    max_size=40,
)


def do(contents: Contents, step: tuple[Any, ...]) -> Contents:
    """One step; nothing where it does not apply."""
    what, *more = step
    if what == "copy":
        contents.copy_to(other := Contents())
        return other
    number = more[0]
    kept = contents.kept.get(number)
    if kept is None:
        if what == "become":
            record = InstanceRecord(
                number=number, id=f"w:{number}", workflow="w", version="v", status="running", created_at=0
            )
            record = msgspec.structs.replace(record, owner=more[1], wake_at=None if more[1] else more[2])
            contents.apply(Write(number, created=record))
    elif what == "become" and kept.record.open:
        change = Change(status="running", open=True, owner=more[1], wake_at=None if more[1] else more[2])
        contents.apply(Write(number, change=change))
    elif what == "end":
        contents.apply(Write(number, change=Change(status="completed", open=False, ended_at=1)))
    elif what == "post":
        contents.post(InboxMessage(f"m{contents.arrived}", number, b"", 0))
    elif what == "consume":
        contents.apply(Write(number, consumed=tuple(kept.inbox)[:1]))
    elif what == "take" and kept.record.open:
        contents.take(more[1], [number])
    elif what == "remove":
        contents.remove([number])
    return contents


def due_by_looking(contents: Contents, epoch: int, now: int, among: Sequence[str] | None) -> set[int]:
    """The rule itself."""

    def is_due(kept: Kept) -> bool:
        record = kept.record
        if not record.open or record.owner == epoch or (among is not None and record.id not in among):
            return False
        awake = record.wake_at is not None and record.wake_at <= now
        return record.owner != 0 or bool(kept.inbox) or awake

    return {number for number, kept in contents.kept.items() if is_due(kept)}


@given(STEPS, EPOCHS, st.integers(0, 10), st.integers(1, 6), st.none() | st.just(["w:1", "w:3"]))
@settings(max_examples=300)
def test_it_finds_what_a_look_at_all_finds(
    steps: list[tuple[Any, ...]], epoch: int, now: int, limit: int, among: list[str] | None
) -> None:
    contents = Contents()
    for step in steps:
        contents = do(contents, step)
        by_rule = due_by_looking(contents, epoch, now, among)
        found = contents.due(epoch, now, limit, among)
        assert len(found) == len(set(found)) == min(limit, len(by_rule)) and set(found) <= by_rule

        kept = contents.kept.values()
        asleep = [one.record for one in kept if one.record.open and one.record.owner == 0]
        wakes = [one.wake_at for one in asleep if one.wake_at is not None and (among is None or one.id in among)]
        assert contents.next_wake(among) == min(wakes, default=None)

        mail = [entry for one in kept if one.record.owner == epoch for entry in one.inbox.values()]
        assert contents.mail(epoch, limit) == [message for _, message in sorted(mail)[:limit]]


class Unwalked(dict[int, Kept]):
    """Instances that nobody may look through."""

    def __iter__(self) -> Any:
        raise AssertionError("all instances are looked at")

    keys = values = items = __iter__


def test_nobody_looks_at_all_instances() -> None:
    contents = Contents()
    for number in range(1, 101):
        do(contents, ("become", number, number % 2, None if number % 2 else 1_000 + number))
    do(contents, ("post", 2))
    contents.kept = Unwalked(contents.kept)
    assert contents.due(1, 0, 10, None) == [2] and contents.mail(1, 10) == []
    assert len(contents.take(1, [2])[0].inbox) == len(contents.mail(1, 10)) == 1
    assert contents.next_wake(None) == 1_004
    assert contents.due(1, 1_006, 10, None) == [4, 6]


def test_wakes_that_are_out_of_date_are_sorted_out() -> None:
    """Also where one that sleeps until the same time is woken by mail again and again."""
    contents = Contents()
    for wake in range(1, 10_000):
        do(contents, ("become", 1, 0, wake))
    assert contents.next_wake(None) == 9_999 and len(contents._agenda._wakes) < 100
    for _ in range(1_000):
        do(contents, ("become", 2, 0, 5))
    assert contents.next_wake(None) == 5 and len(contents._agenda._wakes) < 100
