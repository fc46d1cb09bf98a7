"""`kill_at_each_turn` leaves sound workflows alone, and finds defects: of the engine, and of tasks not repeatable."""

from __future__ import annotations

import asyncio

import pytest

import mainspring as ms
from mainspring.testing import Changed, Moment, Signal, kill_at_each_turn, observe
from mainspring.testing.tracing import disorder
from mainspring.testing.virtual import Stalled
from tests.simulator.mutants import MUTANTS

TOLD: list[str] = []


async def charge() -> dict[str, int]:
    await asyncio.sleep(3600)
    return {"paid": 30}


def pack() -> str:
    return "packed"


async def count_up() -> int:
    TOLD.append("again")
    return len(TOLD)


async def for_ever() -> None:
    await asyncio.Event().wait()


def order() -> ms.Workflow:
    return ms.Workflow(
        "order",
        nodes=[
            ms.Node("charge", "function", config={"handler": charge}),
            ms.Node("wait", "delay", config={"duration": "5h"}),
            ms.Node("pack", "function", config={"handler": pack}, depends_on=["charge"]),
            ms.Node("ship", "transform", config={"output": "shipped"}, depends_on=["pack", "wait"]),
        ],
    )


def test_a_run_is_observed_to_the_last_node() -> None:
    observed = observe(order())
    assert observed.result.status == "completed" and observed.result.output == "shipped"
    assert observed.trace == ["charge completed", "pack completed", "wait completed", "ship completed"]
    assert observed.writes == 4
    assert observed.broken == ()


@pytest.mark.parametrize("moment", Moment)
def test_a_process_that_dies_leaves_its_work_to_the_next(moment: Moment) -> None:
    observed = observe(order(), fatal=(2, moment))
    assert observed.trace == ["charge completed", "pack completed", "wait completed", "ship completed"]
    # Unwritten, the charge is made again; once it is written it never is.
    assert observed.result.nodes["charge"].crashes == (1 if moment is Moment.UNWRITTEN else 0)


@pytest.mark.parametrize("deaths", [1, 2])
def test_kills_change_nothing_of_a_sound_workflow(deaths: int) -> None:
    assert kill_at_each_turn(order(), deaths=deaths).trace[-1] == "ship completed"


def test_who_follows_a_dead_process_can_die_too() -> None:
    observed = observe(order(), fatal=(2, Moment.UNWRITTEN), deaths=2)
    assert observed.result.nodes["charge"].crashes == 1  # the second one died before it had said what it found
    assert observe(order(), fatal=(2, Moment.ORDERED), deaths=3).trace == observed.trace


@pytest.mark.parametrize(
    ("defect", "told"),
    [
        ("effect_before_commit", "began before its start was durable"),
        ("completed_node_runs_again_on_recovery", "ran again though its end was durable"),
        ("timers_not_armed_again_on_recovery", "Stalled: no time brings what the instance waits for; under way: wait"),
    ],
)
def test_a_defect_of_the_engine_is_found(defect: str, told: str) -> None:
    with MUTANTS[defect](), pytest.raises(Changed, match=told):
        kill_at_each_turn(order())


def test_a_task_that_cannot_be_repeated_is_found() -> None:
    workflow = ms.Workflow("counting", nodes=[ms.Node("count", "function", config={"handler": count_up})])

    def since_the_beginning(observed: object) -> list[str]:
        told, TOLD[:] = list(TOLD), []
        return told

    with pytest.raises(Changed, match=r"killed at write 1 of 2, once its effects are ordered|write 2 of 2"):
        kill_at_each_turn(workflow, same=since_the_beginning)
    TOLD.clear()


def test_what_never_ends_is_told() -> None:
    workflow = ms.Workflow("stuck", nodes=[ms.Node("stuck", "function", config={"handler": for_ever})])
    with pytest.raises(Stalled, match="under way: stuck"):
        kill_at_each_turn(workflow)


def asked() -> ms.Workflow:
    """Two who wait, one after the other."""
    return ms.Workflow(
        "asked",
        nodes=[
            ms.Node("granted", "wait", config={"approval": "budget"}),
            ms.Node("paid", "wait", config={"event": "payment"}),
        ],
        connections=[ms.Connection("granted", "paid", source_port="approved")],
    )


def test_signals_of_all_kinds_are_sent_at_their_time() -> None:
    signals = [Signal("payment", 90, after="3h", kind="event"), Signal("budget", True, after="1h", kind="approval")]
    observed = kill_at_each_turn(asked(), signals=[*signals, Signal("late", after="4h")])
    assert observed.trace == ["granted completed by approved", "paid completed"]
    assert observed.result.output == 90
    assert observed.result.ended_at == observed.result.started_at + 3 * 3_600_000


def test_what_cannot_be_sent_is_told() -> None:
    with pytest.raises(ms.PayloadError):
        observe(asked(), signals=[Signal("payment", object())])
    with pytest.raises(ValueError, match="`after` of signal late is no duration: 'soon'"):
        Signal("late", after="soon")


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        (["a", "b", "c", "d", "e"], None),
        (["a", "c", "d", "b", "e"], None),
        (["a", "c", "b", "d", "e"], None),
        (["a", "d", "b", "c", "e"], "`d` came before `c`"),
        (["b", "a", "c", "d", "e"], "`b` came before `a`"),
        (["a", "b", "c", "e"], "missing: d"),
        (["a", "b", "c", "d", "e", "e"], "not expected: e"),
    ],
)
def test_an_order_is_held_to_what_was_expected(trace: list[str], told: str | None) -> None:
    assert disorder(["a", ["b", ["c", "d"]], "e"], trace) == told
