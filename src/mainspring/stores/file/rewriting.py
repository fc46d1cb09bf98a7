"""A log anew, with only what still counts: each instance once, its rows in the groups that they were committed in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from mainspring.journal.records import BlobRow, Write
from mainspring.stores.contents import Contents
from mainspring.stores.file import lines
from mainspring.stores.file.lines import Line

AT_ONCE = 1_000
"""How many ids stand in a line."""


def nothing() -> Iterator[Line]:
    """The first log of a store."""
    yield lines.Format(lines.VERSION, uuid.uuid4().hex)


def whole(contents: Contents, *, locked: bool) -> Iterator[Line]:
    """Lines that come to these contents."""
    yield from nothing()
    lease = contents.lease
    yield (
        lines.Session(contents.epoch)
        if lease is None
        else lines.Session(contents.epoch, lease.holder, lease.expires_at, locked)
    )
    yield lines.Numbers(contents.next_number)
    for definition in contents.defined.values():
        yield lines.define(definition)
    for kept in contents.kept.values():
        yield lines.Kept(kept.record, tuple([lines.row(one) for one in kept.snapshots]))
    yield from _groups(contents)
    yield from _messages(contents)
    if contents.outgoing or contents.cache or contents.letters:
        rest = Write(
            0,
            outbox=tuple(contents.outgoing.values()),
            cached=tuple(contents.cache.values()),
            buried=tuple(contents.letters.values()),
        )
        yield lines.Rest(lines.changes(rest))
    if contents.limits:
        yield lines.Limits(dict(contents.limits))
    yield lines.Rewritten()


def _groups(contents: Contents) -> Iterator[Line]:
    blobs: dict[tuple[int, int], list[BlobRow]] = {}
    for kept in contents.kept.values():
        for blob in kept.blobs:
            blobs.setdefault((blob.instance, blob.seq), []).append(blob)
    skipped = 0
    for group in contents.groups:
        left = [entry for entry in group if contents.has_row(*entry)]
        if not left:
            skipped += 1
            continue
        if skipped:
            yield lines.Skipped(skipped)
            skipped = 0
        yield lines.group(
            Write(number, (contents.kept[number].rows[seq - 1],), blobs=tuple(blobs.get((number, seq), ())))
            for number, seq in left
        )
    if skipped:
        yield lines.Skipped(skipped)


def _messages(contents: Contents) -> Iterator[Line]:
    for number, kept in contents.kept.items():
        gone = sorted(kept.messages.difference(kept.inbox))
        for place in range(0, len(gone), AT_ONCE):
            yield lines.Known(tuple(gone[place : place + AT_ONCE]), number)
    for _, message in sorted(entry for kept in contents.kept.values() for entry in kept.inbox.values()):
        yield lines.Post(lines.item(message))
