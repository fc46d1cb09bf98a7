"""A circuit breaker as a machine of its own (SEMANTICS 79-82): may this call be made, and what does its end mean?

A target that keeps failing is not helped by being called. The breaker counts how its calls end; when too many fail it
*opens*, and for a while nobody calls. Then it is *half open*: a few trial calls show whether the target is well again. With a
canary it is then *recovering*: a quarter, then a half of the calls go through, so that a target that has only just come back
is not run over by everybody who has waited for it.

Like the machine it has no clock and does no I/O: whoever calls says what time it is (UTC milliseconds). What must outlive
the process is one frozen value, `Breaker.kept`; who sees that it is another one than before writes it down. What was
counted while closed is part of it only where the process stops in good order (`remembered`): writing it at each call would
cost each call a write.

Every call is a lease of whoever makes it. Its end counts only in the state in which it began: a call
from before the breaker opened says nothing about the target's recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct
from msgspec.structs import replace

from mainspring.errors import MainspringError
from mainspring.limits.limit import FREE, WAIT, Ended, Lease, Limit, Refusal, Verdict
from mainspring.limits.window import Window

BREAKER_STATES = ("closed", "open", "half_open", "recovering", "forced_open")

BREAKER: dict[str, dict[str, str]] = {
    "tripped": {"closed": "open", "half_open": "open", "recovering": "open"},
    "rested": {"open": "half_open"},
    "proven": {"half_open": "closed", "recovering": "closed"},
    "eased": {"half_open": "recovering", "recovering": "recovering"},
    "forced": dict.fromkeys(BREAKER_STATES, "forced_open"),
    "reset": dict.fromkeys(BREAKER_STATES, "closed"),
}
"""Event -> {state before: state after}. `tripped`: too much failed; `rested`: `openFor` is over; `proven`: the calls that
were let through went well; `eased`: they did, and with a canary the next wave begins; `forced`, `reset`: by hand."""

WAVES = (4, 2)
"""Recovering lets one call in so many through: first every fourth, then every second."""

WINDOW_CALLS = 100
WINDOW_CALLS_BY_TIME = 10_000
"""How many calls count where nothing is said: without a time, and with one (then it is only a bound on memory)."""

OPEN_ERROR = "CircuitOpen"
SPENT_ERROR = "RetryBudgetSpent"
"""What a node fails with that is turned away: by the breaker, or because its target has had enough retries."""


class IllegalBreaker(MainspringError):
    """An event that the table does not allow in this state. It is a defect of mainspring, never of a definition."""


class Rules(Struct, frozen=True, kw_only=True):
    """When a breaker opens and closes. Times are milliseconds; see `definition.model.CircuitBreaker` for each."""

    failure_threshold: float = 0.5
    minimum_throughput: int = 10
    open_for: int = 30_000
    half_open_successes: int = 3
    window: int | None = None
    window_time: int | None = None
    slow_call: int | None = None
    slow_call_threshold: float | None = None
    canary: bool = False
    retry_ratio: float | None = None

    @property
    def calls(self) -> int:
        """How many calls count at most."""
        if self.window is not None:
            return self.window
        return WINDOW_CALLS_BY_TIME if self.window_time is not None else max(WINDOW_CALLS, self.minimum_throughput)


class Kept(Struct, frozen=True, array_like=True):
    """What outlives the process. `since` is when the state began, `why` what led to it.

    `passed` and `failed` count the ends of this state's calls: of the trials while half open, of one wave (`wave`, from 0)
    while recovering. `calls` are those that a closed breaker had counted when its process stopped in good order.
    """

    state: str = "closed"
    since: int = 0
    why: str = ""
    wave: int = 0
    passed: int = 0
    failed: int = 0
    calls: tuple[tuple[int, tuple[bool, ...]], ...] = ()


class Transition(Struct, frozen=True):
    """The breaker went from one state to another."""

    before: str
    event: str
    after: str
    at: int
    why: str


class Breaker(Limit):
    """One target's: a `Limit` like any other. `changed` is told of each change of `kept`, with its transition if any."""

    __slots__ = (
        "_asked",
        "_begun",
        "_calls",
        "_calm",
        "_leases",
        "_phase",
        "_starts",
        "changed",
        "kept",
        "key",
        "rules",
    )
    timed = False

    def __init__(self, key: str, rules: Rules, kept: Kept | None = None) -> None:
        self.key = key
        self.rules = rules
        self.kept = kept or Kept()
        self.changed: Callable[[Transition | None], None] = lambda transition: None
        self._calls = Window(2, rules.calls, rules.window_time)  # failed, slow
        self._starts = Window(1, rules.calls, rules.window_time)  # a retry
        self._begun: dict[Lease, tuple[int, bool]] = {}  # where there is a budget: when, and whether it is a retry
        self._leases: dict[Lease, int] = {}
        self._phase = 0
        self._asked = 0
        for at, marks in self.kept.calls:
            self._calls.add(at, *marks)
        self._calm = self._is_calm()

    def follow(self, rules: Rules) -> None:
        """Another definition says it otherwise: what was said last holds."""
        if rules != self.rules:
            self.rules = rules
            self._calm = self._is_calm()
            self._calls.resize(rules.calls, rules.window_time)
            self._starts.resize(rules.calls, rules.window_time)

    # --- what may be called -------------------------------------------------------------------------------------------

    def check(self, amount: int, now: int) -> Verdict:
        """Whether so many calls could be made now. While trials are under way others wait; nothing is refused then."""
        self.tick(now)
        kept, rules = self.kept, self.rules
        if kept.state == "closed":
            return FREE
        if kept.state == "half_open":
            return FREE if self.trials + kept.passed + amount <= rules.half_open_successes else WAIT
        if kept.state == "recovering":
            one_in = WAVES[kept.wave]
            if self._asked % one_in == 0:
                return FREE
            return self._refusal(f"the {self.key} is recovering: one call in {one_in} is made", None, now)
        reason = f"the {self.key} is open" if kept.state == "open" else f"the {self.key} was opened by hand"
        return self._refusal(f"{reason}: {kept.why}" if kept.why else reason, self.until, now)

    def _refusal(self, reason: str, until: int | None, now: int) -> Refusal:
        return Refusal(reason, self.figures(now), until, OPEN_ERROR, self.kept.state)

    def admit(self, lease: Lease, amount: int, now: int) -> Verdict:
        """Both at once. A calm breaker, on the way of every step that has one, only notes who calls."""
        if not self._calm:
            return super().admit(lease, amount, now)
        self._leases.setdefault(lease, self._phase)  # as `take` does; who has asked matters to one that recovers alone
        return FREE

    def take(self, lease: Lease, amount: int, now: int) -> None:
        """The call is made. Only after `check` said `FREE` at the same `now`."""
        if lease not in self._leases:
            self._leases[lease] = self._phase
            self._asked += 1
            if self.rules.retry_ratio is not None:
                self._starts.add(now, False)
                self._begun[lease] = now, False

    def declined(self, refusal: Refusal) -> None:
        """Somebody was turned away. That counts where only some are let through, and `check` alone cannot know it."""
        self._asked += refusal.type == OPEN_ERROR

    def due(self, amount: int, now: int) -> int | None:
        """Whoever waits waits for the end of a trial call, never for a time."""
        return None

    def holders(self) -> Collection[Lease]:
        """Whose calls are under way, those from before the last transition too."""
        return self._leases.keys()

    @property
    def trials(self) -> int:
        """How many calls of this state are under way: the leases that are there, never a count of them."""
        return sum(1 for phase in self._leases.values() if phase == self._phase)

    @property
    def until(self) -> int | None:
        """When an open breaker may let a call through (None: nobody can say, or it may do so now)."""
        return self.kept.since + self.rules.open_for if self.kept.state == "open" else None

    def remembered(self) -> Kept:
        """What a process that stops in good order keeps: what was counted while closed, too."""
        return replace(self.kept, calls=self._calls.calls()) if self.kept.state == "closed" else self.kept

    # --- retries ------------------------------------------------------------------------------------------------------

    def check_retry(self, now: int) -> Verdict:
        """Whether the target's budget has a retry left (SEMANTICS 82). Few calls say nothing of a share."""
        ratio, calls, (retries,) = self.rules.retry_ratio, self._starts.count(now), self._starts.marked(now)
        if ratio is None or calls < self.rules.minimum_throughput or (retries + 1) / (calls + 1) <= ratio:
            return FREE
        reason = f"{retries} of the last {calls} calls were retries, and retryRatio is {ratio:g}"
        return Refusal(reason, self.retry_figures(now), None, SPENT_ERROR)

    def retry_figures(self, now: int) -> dict[str, float]:
        """How many of the calls in the window were retries. They are counted where there is a `retry_ratio`."""
        return {"calls": self._starts.count(now), "retries": self._starts.marked(now)[0]}

    def take_retry(self, lease: Lease) -> None:
        """The call that was taken last, which is this one, is a retry."""
        if self.rules.retry_ratio is not None:  # the last definition of the target may say nothing of retries
            self._begun[lease] = self._starts.mark_last(0), True

    # --- what became of a call ----------------------------------------------------------------------------------------

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """A call is over. One that was stopped, or never made, says nothing of the target."""
        phase = self._leases.pop(lease, None)
        if self._calm and phase == self._phase and ended.outcome == "ok":
            calls = self._calls
            if not calls.total:  # as below: where all is well, which is on the way of every call, nothing trips
                calls.add_unmarked(now)
                return
        if phase is None:
            return
        outcome, slow_call = ended.outcome, self.rules.slow_call
        if self._begun:
            begun = self._begun.pop(lease, None)
            if begun is not None and outcome == "unused":  # no call was made, so none counts in the budget
                self._starts.take_back(*begun)
        if self.kept.state != "closed":
            self.tick(now)
        if phase != self._phase or outcome in ("stopped", "unused"):
            return
        rules, state = self.rules, self.kept.state
        slow = slow_call is not None and ended.took > slow_call
        if state == "closed":
            # Where slowness has a threshold of its own it is counted apart, else a slow call is a failed one.
            failed = outcome == "failed" or (slow and rules.slow_call_threshold is None)
            self._calls.add(now, failed, slow)
            if self._calls.total:
                self._trip_if_too_much(now)
        elif state == "half_open":
            self._tried(outcome == "failed" or slow, now)
        else:  # recovering: in any other state no call is made
            self._waved(outcome == "failed" or slow, now)

    def _trip_if_too_much(self, now: int) -> None:
        rules, calls, (failed, slow) = self.rules, self._calls.count(now), self._calls.marked(now)
        if calls < rules.minimum_throughput:
            return
        if failed and failed / calls >= rules.failure_threshold:
            self._go("tripped", now, f"{failed} of the last {calls} calls failed")
        elif rules.slow_call_threshold is not None and slow and slow / calls >= rules.slow_call_threshold:
            self._go("tripped", now, f"{slow} of the last {calls} calls took longer than {rules.slow_call} ms")

    def _tried(self, failed: bool, now: int) -> None:
        if failed:
            self._go("tripped", now, "a trial call failed")
        else:
            self.kept = replace(self.kept, passed=self.kept.passed + 1)
            self.changed(None)
            self._trust_if_tried_enough(now)

    def _trust_if_tried_enough(self, now: int) -> None:
        if self.kept.passed >= self.rules.half_open_successes:
            calls = "1 trial call" if self.kept.passed == 1 else f"{self.kept.passed} trial calls"
            self._go("eased" if self.rules.canary else "proven", now, f"{calls} succeeded")

    def _waved(self, failed: bool, now: int) -> None:
        """A wave is over after `minimumThroughput` calls, or as soon as too many of these must have failed."""
        kept = replace(self.kept, passed=self.kept.passed + (not failed), failed=self.kept.failed + failed)
        self.kept = kept
        wave_calls = self.rules.minimum_throughput
        if kept.failed and kept.failed / wave_calls >= self.rules.failure_threshold:
            self._go("tripped", now, f"{kept.failed} of {kept.passed + kept.failed} calls failed while recovering")
        elif kept.passed + kept.failed >= wave_calls:
            well = f"{kept.passed} of {wave_calls} calls succeeded, one in {WAVES[kept.wave]} having been made"
            self._go("eased" if kept.wave + 1 < len(WAVES) else "proven", now, well)
        else:
            self.changed(None)

    # --- time, and by hand --------------------------------------------------------------------------------------------

    def tick(self, now: int) -> None:
        """It is `now`: an open breaker has rested long enough, perhaps."""
        if self.kept.state == "closed":
            return
        until = self.until
        if until is not None and now >= until:
            self._go("rested", now, f"it has been open for {self.rules.open_for} ms")
        elif self.kept.state == "half_open":
            self._trust_if_tried_enough(now)  # other rules ask for fewer trials than there have been

    def force_open(self, now: int, why: str) -> None:
        """The emergency switch: no calls, until somebody closes it by hand."""
        self._go("forced", now, why)

    def close(self, now: int, why: str) -> None:
        """By hand: calls are made again, and what was counted is forgotten."""
        self._go("reset", now, why)

    def figures(self, now: int) -> dict[str, float]:
        """What it has counted, by name."""
        kept = self.kept
        if kept.state in ("half_open", "recovering"):
            return {"passed": kept.passed, "failed": kept.failed, "under way": self.trials}
        calls, (failed, slow) = self._calls.count(now), self._calls.marked(now)
        figures: dict[str, float] = {"calls": calls, "failed": failed}
        if self.rules.slow_call is not None:
            figures["slow"] = slow
        return figures

    def _is_calm(self) -> bool:
        """Closed, and of a call that went well nothing matters but that it did: neither how long it took, nor who made it."""
        return self.kept.state == "closed" and self.rules.slow_call is None and self.rules.retry_ratio is None

    def _go(self, event: str, now: int, why: str) -> None:
        before = self.kept
        after = BREAKER[event].get(before.state)
        if after is None:
            raise IllegalBreaker(f"a breaker that is {before.state} was {event}")
        wave = before.wave + 1 if before.state == after == "recovering" else 0
        self.kept = Kept(after, now, why, wave)
        self._calm = self._is_calm()
        self._phase += 1
        self._asked = 0
        if after == "closed":
            self._calls.clear()
        self.changed(Transition(before.state, event, after, now, why))


class Retries(Limit):
    """The retry budget of a breaker's target, as a limit of its own: retries need it beside the breaker, after it."""

    __slots__ = ("_breaker", "key")
    timed = False

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self.key = f"retries at the {breaker.key}"

    def check(self, amount: int, now: int) -> Verdict:
        """Whether there may be one more. There is no waiting for it: what waits is no budget."""
        return self._breaker.check_retry(now)

    def take(self, lease: Lease, amount: int, now: int) -> None:
        """One more."""
        self._breaker.take_retry(lease)

    def give_back(self, lease: Lease, ended: Ended, now: int) -> None:
        """A retry that was made has been made."""

    def due(self, amount: int, now: int) -> int | None:
        """Nobody waits for it."""
        return None

    def holders(self) -> Collection[Lease]:
        """It is spent, not held."""
        return ()

    def figures(self, now: int) -> dict[str, float]:
        """How many of the calls in the window were retries."""
        return self._breaker.retry_figures(now)
