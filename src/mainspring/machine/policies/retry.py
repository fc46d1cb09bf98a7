"""Whether a failed attempt is tried again, and when. The decision is a value; whoever acts on it is somewhere else."""

from __future__ import annotations

from hashlib import blake2b
from math import inf

from msgspec import Struct

from mainspring.definition.model import Retry
from mainspring.machine.inputs import TaskFault


class Again(Struct, frozen=True):
    """Try again at `due` (UTC milliseconds), `delay` milliseconds from now."""

    due: int
    delay: int


class GiveUp(Struct, frozen=True):
    """It failed for good; `reason` says which rule said so."""

    reason: str


def decide(
    retry: Retry | None, failures: int, fault: TaskFault, now: int, *, seed: int, path: str, attempt: int
) -> Again | GiveUp:
    """What becomes of a failed attempt, after which `failures` attempts have failed in all.

    SEMANTICS 11: `max_attempts` counts the first try, and crashes count towards none of this.
    """
    if fault.fatal:
        return GiveUp("the error is fatal")
    if retry is None or retry.strategy == "none":
        return GiveUp("no retry policy")
    if failures >= retry.max_attempts:
        return GiveUp(f"all {retry.max_attempts} attempts are spent")
    if matches(fault, retry.do_not_retry_on):
        return GiveUp(f"doNotRetryOn names {fault.type}")
    if retry.retry_on and not matches(fault, retry.retry_on):
        return GiveUp(f"retryOn does not name {fault.type}")
    delay = backoff(retry, failures, seed=seed, path=path, attempt=attempt)
    if fault.retry_after is not None:
        delay = max(delay, fault.retry_after)
    return Again(now + delay, delay)


def matches(fault: TaskFault, names: tuple[str, ...]) -> bool:
    """Whether a list of error types names this one or one of its bases ("*" names all)."""
    return any(name in ("*", fault.type) or name in fault.kinds for name in names)


def backoff(retry: Retry, retries: int, *, seed: int, path: str, attempt: int) -> int:
    """Milliseconds before retry number `retries` (1 is the first): strategy, then jitter, then the cap."""
    if retry.strategy == "fixed":
        delay = float(retry.initial_delay)
    elif retry.strategy == "linear":
        delay = float(retry.initial_delay * retries)
    else:
        try:
            delay = retry.initial_delay * float(retry.multiplier) ** (retries - 1)
        except OverflowError:  # a float has no room for it, and the cap is far below
            delay = inf if retry.initial_delay else 0.0
    if retry.jitter:
        delay *= 1 + retry.jitter * (2 * draw(seed, path, attempt) - 1)
    return round(min(delay, retry.max_delay))


def draw(seed: int, path: str, attempt: int) -> float:
    """A number in [0, 1) that only the input's seed, the node and the attempt decide (SEMANTICS 5)."""
    digest = blake2b(f"{seed}/{path}/{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
