"""A long list of JSON values, most of them as text: many small ones take little more than their own bytes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

CHUNK = 1_000
"""So many values make one text."""

_split = msgspec.json.Decoder(list[Raw]).decode


class Packed:
    """Values are added at the end and never changed. Reading goes from chunk to chunk at the cost of one parse each."""

    __slots__ = ("_chunks", "_parsed", "_parsed_at", "_tail")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._tail: list[bytes] = []
        self._parsed: list[Raw] = []
        self._parsed_at = -1

    def __len__(self) -> int:
        return len(self._chunks) * CHUNK + len(self._tail)

    def append(self, value: bytes) -> None:
        """Add one."""
        self._tail.append(value)
        if len(self._tail) == CHUNK:
            self._chunks.append(b",".join(self._tail))
            self._tail = []

    def extend(self, values: bytes) -> None:
        """Add those of a JSON list."""
        for value in _split(values):
            self.append(bytes(value))

    def __getitem__(self, index: int) -> bytes:
        chunk, place = divmod(index, CHUNK)
        if chunk >= len(self._chunks):
            return self._tail[place]
        if self._parsed_at != chunk:
            self._parsed = _split(b"[" + self._chunks[chunk] + b"]")
            self._parsed_at = chunk
        return bytes(self._parsed[place])

    def joined(self, more: Iterable[bytes] = ()) -> bytes:
        """All of them as one JSON list, and `more` after them."""
        return b"[" + b",".join([*self._chunks, *self._tail, *more]) + b"]"

    def parts(self) -> list[bytes]:
        """Its texts, for a snapshot: they are shared, not copied."""
        return [*self._chunks, b",".join(self._tail)] if self._tail else list(self._chunks)

    @classmethod
    def of(cls, parts: Iterable[bytes]) -> Packed:
        """What `parts` was asked of."""
        packed = cls()
        for part in parts:
            packed._chunks.append(part)
        if packed._chunks:
            last = _split(b"[" + packed._chunks[-1] + b"]")
            if len(last) < CHUNK:
                packed._chunks.pop()
                packed._tail = [bytes(value) for value in last]
        return packed
