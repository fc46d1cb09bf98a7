"""Circuit breakers on the engine, in virtual time (SEMANTICS 79-82): who calls, who is refused, what a restart keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import mainspring as ms
from mainspring.definition.model import CircuitBreaker, FallbackAction, Resilience, Retry, Workflow
from mainspring.engine.engine import Engine
from mainspring.journal.store import Store
from mainspring.limits.breaker import Transition
from mainspring.stores.memory import MemoryStore
from tests.engine.conftest import node, workflow
from tests.engine.virtually import virtually

CALLS: list[tuple[str, float]] = []
UP = [True]
TOOK = [0.0]
NewEngine = Callable[[Store], Engine]


@ms.task(name="b_call")
async def call(ctx: ms.TaskContext) -> str:
    """A call of the target, which is up or not."""
    CALLS.append((ctx.instance, asyncio.get_running_loop().time()))
    if TOOK[0]:
        await asyncio.sleep(TOOK[0])
    if not UP[0]:
        raise ConnectionError("it is down")
    return "called"


@ms.task(name="b_stand_in")
async def stand_in(error: Any) -> dict[str, Any]:
    """What runs instead."""
    return {"instead of": error["type"], "state": error["code"]}


@pytest.fixture(autouse=True)
def fresh() -> None:
    CALLS.clear()
    UP[0], TOOK[0] = True, 0.0


BREAKER = CircuitBreaker(target="pay", minimum_throughput=4, open_for=10_000, half_open_successes=2)


def calling(breaker: CircuitBreaker = BREAKER, id: str = "one", **more: Any) -> Workflow:
    """A workflow of one call."""
    return workflow(node("charge", "b_call", circuit_breaker=breaker, **more), id=id)


async def ran(engine: Engine, flow: Workflow, count: int = 1) -> list[str]:
    """What became of so many instances, one after the other: the output, or the type of the error."""
    ends = []
    for _ in range(count):
        result = await (await engine.start(flow)).result()
        error = result.nodes["charge"].error
        ends.append(str(result.output) if error is None else error.type)
    return ends


def standing(engine: Engine, target: str = "pay") -> tuple[str, dict[str, float]]:
    [found] = [one for one in engine.breakers() if one.target == target]
    return found.state, found.figures


def test_it_opens_refuses_tries_and_closes() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            seen: list[tuple[str, Transition]] = []
            engine.watch_breakers(lambda target, transition: seen.append((target, transition)))
            UP[0] = False
            assert await ran(engine, calling(), 4) == ["ConnectionError"] * 4
            assert standing(engine) == ("open", {"calls": 4, "failed": 4})
            assert await ran(engine, calling(), 3) == ["CircuitOpen"] * 3
            assert len(CALLS) == 4
            UP[0] = True
            await asyncio.sleep(10)
            assert await ran(engine, calling(), 1) == ["called"]
            assert standing(engine) == ("half_open", {"passed": 1, "failed": 0, "under way": 0})
            assert await ran(engine, calling(), 1) == ["called"]
            assert standing(engine) == ("closed", {"calls": 0, "failed": 0})
            assert [(target, one.before, one.after) for target, one in seen] == [
                ("pay", "closed", "open"),
                ("pay", "open", "half_open"),
                ("pay", "half_open", "closed"),
            ]

    virtually(test)


def test_a_refusal_says_which_breaker_why_and_until_when() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            result = await (await engine.start(calling())).result()
            error = result.nodes["charge"].error
            assert error is not None
            assert (error.type, error.code, error.attempt) == ("CircuitOpen", "open", 1)
            assert error.message == "the breaker of pay is open: 4 of the last 4 calls failed (calls 4, failed 4)"
            [one] = engine.breakers()
            assert one.until is not None and one.until - one.since == 10_000

    virtually(test)


def test_a_retry_waits_until_the_breaker_may_let_it_through() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            UP[0] = True
            retried = calling(retry=Retry(max_attempts=2, initial_delay=1, jitter=0))
            result = await (await engine.start(retried)).result()
            assert (result.output, result.nodes["charge"].attempts) == ("called", 2)
            assert CALLS[-1][1] == pytest.approx(10, abs=0.01)
            assert result.nodes["charge"].error is None

    virtually(test)


def test_its_fallback_runs_with_the_refusal() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            flow = workflow(
                node("charge", "b_call", circuit_breaker=BREAKER, fallback_node_id="later"),
                node("later", "b_stand_in", input={"error": "${ error }"}),
            )
            result = await (await engine.start(flow)).result()
            assert result.output == {"instead of": "CircuitOpen", "state": "open"}
            assert standing(engine)[1] == {"calls": 4, "failed": 4}

    virtually(test)


def test_half_open_the_others_wait_for_the_trial_calls() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            for well in (False, True):
                await asyncio.sleep(10)
                CALLS.clear()
                UP[0], TOOK[0] = well, 1.0
                runs = [await engine.start(calling()) for _ in range(6)]
                await asyncio.sleep(0.5)
                [one] = engine.breakers()
                assert (one.state, one.active, one.waiting, len(CALLS)) == ("half_open", 2, 4, 2)
                ends = [(await run.result()).nodes["charge"].error for run in runs]
                if well:
                    assert ends == [None] * 6
                    assert standing(engine)[0] == "closed"
                else:
                    types = [error.type for error in ends if error is not None]
                    assert types == ["ConnectionError"] * 2 + ["CircuitOpen"] * 4
                    assert standing(engine)[0] == "open"
                    assert len(CALLS) == 2

    virtually(test)


def test_a_trial_call_that_is_cancelled_makes_room_for_another() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            await asyncio.sleep(10)
            UP[0], TOOK[0] = True, 5.0
            runs = [await engine.start(calling()) for _ in range(3)]
            await asyncio.sleep(0.1)
            assert len(CALLS) == 6
            await runs[0].cancel()
            await runs[0].result()
            await asyncio.sleep(0.1)
            assert len(CALLS) == 7
            assert [(await run.result()).output for run in runs[1:]] == ["called"] * 2

    virtually(test)


def test_a_target_is_shared_and_a_node_without_one_has_its_own() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            own = CircuitBreaker(minimum_throughput=4)
            await ran(engine, calling(), 2)
            await ran(engine, calling(id="two"), 2)
            assert await ran(engine, calling(id="three")) == ["CircuitOpen"]
            assert await ran(engine, calling(own)) == ["ConnectionError"]
            await ran(engine, calling(own, id="two"), 4)
            assert [(one.target, one.state) for one in engine.breakers()] == [
                ("charge of one", "closed"),
                ("charge of two", "open"),
                ("pay", "open"),
            ]

    virtually(test)


def test_by_hand() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            opened = await engine.open_breaker("pay", by="me", reason="they migrate")
            assert (opened.state, opened.why, opened.until) == ("forced_open", "by me: they migrate", None)
            result = await (await engine.start(calling())).result()
            error = result.nodes["charge"].error
            assert error is not None and error.code == "forced_open"
            assert error.message.startswith("the breaker of pay was opened by hand: by me: they migrate")
            await asyncio.sleep(1_000)
            assert await ran(engine, calling()) == ["CircuitOpen"]
            await engine.close_breaker("pay")
            assert await ran(engine, calling()) == ["called"]

    virtually(test)


def test_whoever_waits_for_a_trial_is_let_through_when_it_is_closed_by_hand() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            await asyncio.sleep(10)
            UP[0], TOOK[0] = True, 100.0
            runs = [await engine.start(calling()) for _ in range(4)]
            await asyncio.sleep(1)
            assert len(CALLS) == 6
            await engine.close_breaker("pay")
            await asyncio.sleep(1)
            assert len(CALLS) == 8
            assert [(await run.result()).output for run in runs] == ["called"] * 4
            assert standing(engine) == ("closed", {"calls": 2, "failed": 0})

    virtually(test)


@pytest.mark.parametrize("orderly", [True, False])
@pytest.mark.parametrize("state", ["open", "half_open", "recovering", "forced_open", "closed"])
def test_each_state_outlives_the_engine(state: str, orderly: bool) -> None:
    canary = CircuitBreaker(
        target="pay", minimum_throughput=4, open_for=10_000, half_open_successes=2, canary=True, failure_threshold=1.0
    )

    async def test(new: NewEngine) -> None:
        store = MemoryStore()
        engine = await new(store).__aenter__()
        UP[0] = False
        await ran(engine, calling(canary), 4)
        UP[0] = True
        if state in ("half_open", "recovering"):
            await asyncio.sleep(10)
            await ran(engine, calling(canary), 1 if state == "half_open" else 2)
        if state == "forced_open":
            await engine.open_breaker("pay")
        if state == "closed":
            await engine.close_breaker("pay")
        await engine.idle()
        await asyncio.sleep(0)
        before = [(one.target, one.state, one.since, one.why) for one in engine.breakers()]
        assert before[0][1] == state
        if orderly:
            await engine.__aexit__(None, None, None)
        else:
            await engine.host.kill(release=True)
        async with new(store) as again:
            assert [(one.target, one.state, one.since, one.why) for one in again.breakers()] == before
            CALLS.clear()
            after = {
                "open": ["CircuitOpen"] * 2,
                "half_open": ["called"] * 2,  # the one that lacked, then the first of the wave
                "recovering": ["called", "CircuitOpen"],
                "forced_open": ["CircuitOpen"] * 2,
                "closed": ["called"] * 2,
            }
            assert await ran(again, calling(canary), 2) == after[state]

    virtually(test)


def test_slow_calls_open_it() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            slow = CircuitBreaker(target="pay", minimum_throughput=3, slow_call=500)
            TOOK[0] = 0.6
            assert await ran(engine, calling(slow), 4) == ["called"] * 3 + ["CircuitOpen"]

    virtually(test)


def test_a_call_that_timed_out_is_a_failed_one() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            TOOK[0] = 10.0
            timed = calling(timeout=100)
            assert await ran(engine, timed, 5) == ["NodeTimeout"] * 4 + ["CircuitOpen"]

    virtually(test)


def test_the_canary_lets_every_fourth_then_every_second_through() -> None:
    canary = CircuitBreaker(
        target="pay", minimum_throughput=2, open_for=1_000, half_open_successes=1, canary=True, failure_threshold=1.0
    )

    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(canary), 2)
            UP[0] = True
            await asyncio.sleep(1)
            made = [end == "called" for end in await ran(engine, calling(canary), 12)]
            assert made == [True] + [True, False, False, False, True] + [True, False, True] + [True] * 3

    virtually(test)


def test_a_retry_beyond_the_budget_is_not_made() -> None:
    budget = CircuitBreaker(target="pay", minimum_throughput=4, failure_threshold=1.0, retry_ratio=0.2)

    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            await ran(engine, calling(budget), 7)
            UP[0] = False
            retried = calling(budget, retry=Retry(max_attempts=4, initial_delay=10, jitter=0))
            result = await (await engine.start(retried)).result()
            error = result.nodes["charge"].error
            assert error is not None
            assert len(CALLS) == 7 + 3  # with the first try 8; then 1 of 9, 2 of 10; 3 of 11 would be more than a fifth
            assert (error.type, error.message) == (
                "RetryBudgetSpent",
                "2 of the last 10 calls were retries, and retryRatio is 0.2 (calls 10, retries 2); "
                "the last attempt failed: ConnectionError: it is down",
            )
            assert standing(engine)[1] == {"calls": 10, "failed": 3}

    virtually(test)


def test_fallback_actions_too() -> None:
    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            await engine.open_breaker("pay")
            actions = Resilience(fallback_actions=(FallbackAction(type="b_call"),))
            result = await (await engine.start(calling(resilience=actions))).result()
            assert (result.status, result.output) == ("completed", "called"), result.nodes["charge"]

    virtually(test)


def test_a_restart_keeps_the_rules_too_for_whoever_looks_before_a_node_asks() -> None:
    """Else a look alone, by rules that nobody has told, would let calls through after 30 s and forget all but 100 calls."""
    slow_to_trust = CircuitBreaker(target="pay", minimum_throughput=150, window=200, open_for=60_000)

    async def test(new: NewEngine) -> None:
        store = MemoryStore()
        async with new(store) as engine:
            await ran(engine, calling(slow_to_trust), 149)
        async with new(store) as engine:
            assert standing(engine) == ("closed", {"calls": 149, "failed": 0})
            UP[0] = False
            await ran(engine, calling(slow_to_trust), 149)
            assert standing(engine)[0] == "open"
        async with new(store) as engine:
            await asyncio.sleep(59)
            assert standing(engine)[0] == "open"
            await asyncio.sleep(1)
            assert standing(engine)[0] == "half_open"

    virtually(test)


def test_of_those_that_wait_for_a_trial_call_one_in_four_is_let_through_where_it_is_recovering() -> None:
    """Not one of them all, however many wait: what is refused counts, too."""
    canary = CircuitBreaker(target="pay", minimum_throughput=4, open_for=10_000, half_open_successes=1, canary=True)

    async def test(new: NewEngine) -> None:
        async with new(MemoryStore()) as engine:
            UP[0] = False
            await ran(engine, calling(canary), 4)
            UP[0], TOOK[0] = True, 0.1
            await asyncio.sleep(10)
            CALLS.clear()
            runs = [await engine.start(calling(canary)) for _ in range(10)]
            ends = [(await run.result()).status for run in runs]
            assert len(CALLS) == 4
            assert ends == ["completed" if place in (0, 1, 5, 9) else "failed" for place in range(10)]

    virtually(test)


def test_a_restart_keeps_how_many_trial_calls_went_well() -> None:
    async def test(new: NewEngine) -> None:
        store = MemoryStore()
        async with new(store) as engine:
            UP[0] = False
            await ran(engine, calling(), 4)
            UP[0] = True
            await asyncio.sleep(10)
            assert await ran(engine, calling()) == ["called"]
        async with new(store) as engine:
            assert standing(engine) == ("half_open", {"passed": 1, "failed": 0, "under way": 0})
            assert await ran(engine, calling()) == ["called"]
            assert standing(engine)[0] == "closed"

    virtually(test)
