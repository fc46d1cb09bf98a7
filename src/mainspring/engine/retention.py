"""What is kept of instances at their end, and for how long: the settings, and what a clean-up tells."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

EVERY_MS = 600_000


class RetentionRule(Struct, frozen=True, kw_only=True):
    """An instance may go when both say so; what is None says nothing. Where both are None, all are kept.

    `older_than_ms`: it, and its children, ended longer ago than this. `keep`: so many of its workflow that were started
    later have ended too.
    """

    older_than_ms: int | None = None
    keep: int | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether nothing may go."""
        return self.older_than_ms is None and self.keep is None


class Retention(RetentionRule, frozen=True, kw_only=True):
    """What an engine lets go of by itself. `workflows` has other rules for some, by the workflow's id.

    `every_ms` is how far apart the sweeps are. Several engines on one store may all sweep: each thing goes once.
    """

    workflows: dict[str, RetentionRule] = {}
    every_ms: int = EVERY_MS


class Collected(Struct, frozen=True, kw_only=True):
    """What a clean-up did, or (`dry_run`) would do.

    `removed` counts instances, with their children; `workflows` the same by workflow of those that somebody started, and
    `ids` names some of these, the oldest last. `kept` counts those that somebody started and that stay, by why: `open` (not
    at its end), `young`, `newest` (one of the last of its workflow), `children` (one is still open), `dead letters`,
    `in use` (it was opened again just then, or has something to send). `bytes` are what the store says of its size, before
    and after (None: it was not asked). `more`: the time was over; again does the rest.
    """

    removed: int
    workflows: Mapping[str, int]
    ids: tuple[str, ...]
    kept: Mapping[str, int]
    bytes_before: int | None = None
    bytes_after: int | None = None
    more: bool = False
    dry_run: bool = False
