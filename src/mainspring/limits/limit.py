"""What a limit is, for whoever asks it: the one protocol behind which pools, buckets and breakers stand.

A limit decides by itself and at once: it never waits, and it knows nothing of the others. Where several processes share
one, what stands behind the protocol answers from the share that this process has been lent, and says by `due` when to look
again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal, NamedTuple, Protocol

from msgspec import Struct


class Lease(NamedTuple):
    """Who holds something: one attempt of one run of a node. That it ends gives all back that it holds."""

    instance: str
    path: str
    run: int
    attempt: int


class Free(Struct, frozen=True):
    """It can be taken now."""


class Wait(Struct, frozen=True):
    """It can't be taken now, and can be later."""


class Refusal(Struct, frozen=True):
    """It can't be taken, and who asks need not wait. `until` (UTC milliseconds) is before when to ask again is of no use.

    `type` is what the node's error is called, `state` that of the limit, where it has states.
    """

    reason: str
    figures: dict[str, float] = {}
    until: int | None = None
    type: str = "AdmissionRefused"
    state: str = ""


FREE: Final = Free()
WAIT: Final = Wait()
Verdict = Free | Wait | Refusal
"""`FREE` and `WAIT` are the only ones of their kind: compare by `is`."""

Outcome = Literal["ok", "failed", "stopped", "unused"]


class Ended(Struct, frozen=True, gc=False):
    """How an attempt ended that held a lease, and how many milliseconds it took.

    `stopped`: it was cancelled, or its process ended: that says nothing of what it called. `unused`: it never began, because
    the turn that took the lease was thrown away, or the instance moved on.
    """

    outcome: Outcome
    took: int = 0


STOPPED: Final = Ended("stopped")
UNUSED: Final = Ended("unused")


class Limit(Protocol):
    """`key` names it, once in an engine. `timed`: what it has grows by time alone, so it is asked when to look again.

    Amounts are whole: 1 for a place, a token or a call; thousandths of a unit for units.
    """

    key: str
    timed: bool

    def check(self, amount: int, now: int) -> Verdict:
        """Whether so much could be taken now. It takes nothing."""
        ...

    def take(self, lease: Lease, amount: int, now: int) -> None:
        """The lease holds so much from now on. Only after `check` said `FREE` at the same `now`."""
        ...

    def admit(self, lease: Lease, amount: int, now: int) -> Verdict:
        """Both at once: what `check` says, and taken where that is `FREE`."""
        verdict = self.check(amount, now)
        if verdict is FREE:
            self.take(lease, amount, now)
        return verdict

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """The attempt is over. A lease that is not known changes nothing."""
        ...

    def declined(self, refusal: Refusal) -> None:
        """Somebody was turned away who asked for this, be it for the want of something else."""
        return

    def due(self, amount: int, now: int) -> int | None:
        """When so much might be there by time alone (None: only when somebody gives it back). Asked of `timed` ones."""
        ...

    def holders(self) -> Collection[Lease]:
        """Whoever holds something of it."""
        ...

    def figures(self, now: int) -> dict[str, float]:
        """What can be told of it: `size` and `active`, and whatever else there is, by name."""
        ...
