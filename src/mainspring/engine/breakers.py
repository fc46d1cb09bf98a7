"""The circuit breakers of this engine (SEMANTICS 79 to 82): what they remember, who is told, the emergency switch.

Their rules are in `mainspring/limits/breaker.py`. A breaker is shared by all instances, by its target's name. What it has to
remember is written a moment after it changed: a process that dies in that moment finds the breaker as it was before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from mainspring.definition.model import CircuitBreaker
from mainspring.errors import NotOwner, StoreError
from mainspring.limits.breaker import Breaker, Kept, Retries, Rules, Transition
from mainspring.limits.lanes import Desk, Need

if TYPE_CHECKING:
    from mainspring.engine.host import Host

logger = logging.getLogger("mainspring.engine")

PREFIX = "breaker of "
"""What the key of a breaker begins with, in the store too; the rest is its target."""

TROUBLE = frozenset({"tripped"})
"""What nobody wanted: it is logged as a warning. What was done by hand is told to whoever did it."""

K = TypeVar("K", bound=Kept)
Watcher = Callable[[str, Transition], None]


class Stored(Kept, frozen=True, array_like=True):
    """What is kept of a breaker, with the rules that it went by: until a node asks, a session to come knows no others."""

    rules: Rules | None = None


_decode = msgspec.json.Decoder(Stored).decode


class BreakerStanding(Struct, frozen=True, kw_only=True):
    """How a breaker stands. Times are UTC milliseconds.

    `state` is closed, open, half_open, recovering or forced_open, since `since`, because of `why`; `until`: when an open one
    may let a call through (None: it is not open, or by hand). `active` calls are under way, `waiting` nodes wait for the end
    of trial calls. `figures` has what it has counted, by name.
    """

    target: str
    state: str
    since: int
    why: str
    until: int | None
    active: int
    waiting: int
    figures: dict[str, float]


class Breakers:
    """Begins empty; `load` reads what sessions before this one have kept."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._breakers: dict[str, tuple[Desk, Desk]] = {}
        self._kept: dict[str, bytes] = {}
        self._unsaved: dict[str, None] = {}
        self._saving: asyncio.Task[None] | None = None
        self._stopped = False
        self.watchers: list[Watcher] = []

    async def load(self) -> None:
        """Read what is kept. Raises StoreError."""
        self._kept = await self._host.store.kept_limits()

    async def stop(self, *, write: bool) -> None:
        """Stop at once, or after what is not written yet is."""
        self._stopped = True
        if self._saving is not None:
            if not write:
                self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)
        if write:
            for desk, _ in self._breakers.values():
                breaker = desk.limit
                assert isinstance(breaker, Breaker)
                state = _encoded(breaker, breaker.remembered())
                if breaker.figures(self._host.clock.now()).get("calls") and state != self._kept.get(breaker.key):
                    self._kept[breaker.key] = state
                    self._unsaved[breaker.key] = None
            await self._save_soon()

    # --- for nodes ----------------------------------------------------------------------------------------------------

    def needs(self, told: CircuitBreaker, place: str) -> tuple[Need, Need]:
        """What a call of the target needs, and what a retry needs beside. `place` names the node that has none of its own."""
        call, retry = self._desks(told.target or place)
        breaker = call.limit
        assert isinstance(breaker, Breaker)
        breaker.follow(rules_of(told))
        return (call, 1), (retry, 1)

    def _desks(self, target: str) -> tuple[Desk, Desk]:
        desks = self._breakers.get(target)
        if desks is None:
            key = PREFIX + target
            kept = self._kept.get(key)
            stored = None if kept is None else _restored(key, kept)
            breaker = Breaker(key, (stored and stored.rules) or Rules(), stored and _of(Kept, stored))
            breaker.changed = lambda transition: self._changed(breaker, target, transition)
            desks = self._breakers[target] = Desk(breaker), Desk(Retries(breaker))
        return desks

    def desks(self) -> Iterator[Desk]:
        """Where calls of this session's targets ask."""
        return (desk for desk, _ in self._breakers.values())

    # --- for people ---------------------------------------------------------------------------------------------------

    def standings(self) -> list[BreakerStanding]:
        """Every breaker that was asked in this session, or kept in one before."""
        now = self._host.clock.now()
        targets = kept_in(self._kept).keys() | self._breakers.keys()
        return [self._standing(target, now) for target in sorted(targets)]

    def _standing(self, target: str, now: int) -> BreakerStanding:
        desk, _ = self._desks(target)
        breaker = desk.limit
        assert isinstance(breaker, Breaker)
        breaker.tick(now)
        kept = breaker.kept
        return BreakerStanding(
            target=target,
            state=kept.state,
            since=kept.since,
            why=kept.why,
            until=breaker.until,
            active=len(breaker.holders()),
            waiting=desk.queued(),
            figures=breaker.figures(now),
        )

    async def switch(self, target: str, *, shut: bool, why: str) -> BreakerStanding:
        """Open or close a breaker by hand; it is durable when this returns. Whoever waits for it is served or refused."""
        desk, _ = self._desks(target)
        breaker = desk.limit
        assert isinstance(breaker, Breaker)
        now = self._host.clock.now()
        if shut:
            breaker.close(now, why)
        else:
            breaker.force_open(now, why)
        self._host.limits.look_at(desk)
        await self._save()
        return self._standing(target, now)

    # --- what they remember -------------------------------------------------------------------------------------------

    def _changed(self, breaker: Breaker, target: str, transition: Transition | None) -> None:
        self._kept[breaker.key] = _encoded(breaker, breaker.kept)
        self._unsaved[breaker.key] = None
        self.tick()
        if transition is not None:
            level = logging.WARNING if transition.event in TROUBLE else logging.INFO
            logger.log(level, "the breaker of %s is %s: %s", target, words(transition.after), transition.why)
            for watcher in tuple(self.watchers):
                watcher(target, transition)

    async def _save_soon(self) -> None:
        try:
            await self._save()
        except NotOwner as error:
            self._host.lost(error)
        except StoreError as error:
            logger.warning("the state of breakers could not be kept, and will be with the next change: %s", error)
        finally:
            self._saving = None

    async def _save(self) -> None:
        while self._unsaved:
            keys = list(self._unsaved)
            self._unsaved.clear()
            try:
                await self._host.store.keep_limits(self._host.ownership.lease(), {key: self._kept[key] for key in keys})
            except StoreError:
                self._unsaved.update(dict.fromkeys(keys))
                raise

    def tick(self) -> None:
        """Now and then: what could not be written is tried again."""
        if self._unsaved and self._saving is None and not self._stopped:
            self._saving = asyncio.get_running_loop().create_task(self._save_soon(), name="mainspring-breakers")


def rules_of(told: CircuitBreaker) -> Rules:
    """What a definition says, for the machine."""
    return Rules(
        failure_threshold=told.failure_threshold,
        minimum_throughput=told.minimum_throughput,
        open_for=told.open_for,
        half_open_successes=told.half_open_successes,
        window=told.window,
        window_time=told.window_time,
        slow_call=told.slow_call,
        slow_call_threshold=told.slow_call_threshold,
        canary=told.canary,
        retry_ratio=told.retry_ratio,
    )


def kept_in(found: dict[str, bytes]) -> dict[str, Kept]:
    """By target, what a store remembers of breakers. What cannot be read is left out."""
    breakers = {key: state for key, state in sorted(found.items()) if key.startswith(PREFIX)}
    read = {key.removeprefix(PREFIX): _restored(key, state) for key, state in breakers.items()}
    return {target: kept for target, kept in read.items() if kept is not None}


def words(state: str) -> str:
    """A state as people say it."""
    return "opened by hand" if state == "forced_open" else state.replace("_", " ")


def _of(kind: type[K], kept: Kept, **more: Any) -> K:
    """The same as one of another kind."""
    return kind(**{field: getattr(kept, field) for field in Kept.__struct_fields__}, **more)


def _encoded(breaker: Breaker, kept: Kept) -> bytes:
    return msgspec.json.encode(_of(Stored, kept, rules=breaker.rules))


def _restored(key: str, kept: bytes) -> Stored | None:
    """A state that cannot be read is forgotten: it costs no more than opening once more."""
    try:
        return _decode(kept)
    except msgspec.MsgspecError as error:
        logger.error("what is kept of the %s cannot be read, and it begins closed: %s", key, error)
        return None
