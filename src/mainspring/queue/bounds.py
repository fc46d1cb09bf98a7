"""The queue's bounds by name. To be outside them is a mistake in the caller's code, so it raises ValueError."""

from __future__ import annotations

from typing import Any

from mainspring.queue.records import QueueSnapshot

capacity_max = 1_000_000
visibility_ms_max = 7 * 24 * 3_600_000
retries_limit = 1_000

retries_max_default = 3
retry_delay_ms_default = 2_000
dead_letters_max_default = 1_000


def inbox_capacity(declared: int | None, in_degree: int) -> int:
    """A node's inbox must take a token from each connection at once, whatever was declared (SEMANTICS 10)."""
    return max(declared or 1, in_degree, 1)


def within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}; it must be from {least} to {most}")


def settings_within(capacity: int, retries_max: int, retry_delay_ms: int, dead_letters_max: int) -> None:
    within("capacity", capacity, 1, capacity_max)
    within("retries_max", retries_max, 0, retries_limit)
    within("retry_delay_ms", retry_delay_ms, 0, visibility_ms_max)
    within("dead_letters_max", dead_letters_max, 1, capacity_max)


def snapshot_whole(snapshot: QueueSnapshot[Any]) -> None:
    """A snapshot that no queue can have made would make one that breaks its promises later: refuse it now."""
    ids = [message.id for message in snapshot.messages] + [letter.id for letter in snapshot.dead]
    within("the number of messages in the snapshot", len(snapshot.messages), 0, snapshot.capacity)
    within("the number of dead letters in the snapshot", len(snapshot.dead), 0, snapshot.dead_letters_max)
    if len(set(ids)) != len(ids):
        raise ValueError("the snapshot holds a message twice")
    for id in ids:
        within("a message's id in the snapshot", id, 1, snapshot.last_message)
    line = [message.id for message in snapshot.messages if message.state == "line"]
    if line != sorted(line):
        raise ValueError("the snapshot's line is out of order")
