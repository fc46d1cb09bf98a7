"""The engine's bounds and times, by name and with units."""

from __future__ import annotations

from msgspec import Struct

from mainspring.definition.model import Resources
from mainspring.engine.retention import Retention
from mainspring.journal.codec import BLOB_BYTES_MIN
from mainspring.machine.values import PAYLOAD_BYTES_MAX


class EngineSettings(Struct, frozen=True, kw_only=True):
    """All have defaults that suit one process on one machine."""

    lease_ms: int = 15_000
    """How long a session lives without a sign of life. It is renewed three times in that time."""

    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    """The largest value a node may hand on; beyond it the node fails with PayloadTooLarge."""

    cache_entries_max: int = 10_000
    """How many results the store keeps to be used again; the oldest go first."""

    cache_entry_bytes_max: int = BLOB_BYTES_MIN
    """A result with more JSON than this is not kept to be used again."""

    snapshot_turns_min: int = 256
    """A snapshot is taken after so many turns, and never more often than the instance has finished nodes."""

    compensation_page: int = 500
    """How many runs a saga has read back from the journal at a time."""

    group_turns_max: int = 2_000
    """How many turns one commit holds at most."""

    drain_inputs_max: int = 100
    """How many inputs are taken before the event loop gets its turn, so that commits and tasks overlap."""

    drain_orders_max: int = 32
    """How many orders of turns that order many (a fan-out) are decided before the event loop gets its turn: what the first of
    many turns leads to begins while the others are decided."""

    ahead_turns_max: int = 1_000
    """An instance whose checkpoint policy lets it run ahead takes one after so many turns at the latest."""

    claim_max: int = 500
    """How many instances are loaded at a time at a takeover."""

    sleep_after_ms: int = 5_000
    """An instance that only waits for a time further off than this leaves memory."""

    shutdown_ms: int = 10_000
    """How long an orderly stop waits for the last commits."""

    pools: dict[str, int] = {}
    """How many places each pool has, by its name, over all that this engine runs."""

    quotas: Resources | None = None
    """How many units (cpu, memory, io) all running nodes may hold together; what is 0 or left out has no bound."""

    starvation_warning_ms: int = 30_000
    """A node that waits longer for its limits is told of in the log."""

    passed_over_max: int = 100
    """A node that waits for several limits is passed over so often at most, then they are kept for it."""

    retention: Retention | None = None
    """What is removed by itself of instances at their end, and when (None: nothing)."""

    store_retry_ms_max: int = 5_000
    """After a failed commit the store is tried again, at growing intervals up to this."""
