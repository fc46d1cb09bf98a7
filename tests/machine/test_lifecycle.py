"""Every state and every event: the rows of the tables work, all other pairs are refused and change nothing."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec import Raw

from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from mainspring.machine.fold import FOLD, fold
from mainspring.machine.instance import Instance, NodeState
from mainspring.machine.lifecycle import (
    ACTIVE,
    ATTEMPT,
    INSTANCE,
    INSTANCE_FINAL,
    INSTANCE_STATES,
    NODE,
    NODE_FINAL,
    NODE_STATES,
    STARTING,
    TIMER,
    IllegalTransition,
)
from mainspring.machine.saga import Saga
from mainspring.machine.step import RULES

from .harness import check_counts, graph, state_bytes

PLAN = graph("a -> b; c; u", a={"compensationNodeId": "u"})
REPEATING = graph("x -> a; y -> a; a -> b", a={"join": {"kind": "each"}})
ERROR = ev.ErrorRecord("E", "bad")
REF = (ev.Ref("a", 1),)

INSTANCE_EVENTS: list[ev.Event] = [
    ev.InstanceStarted("w", "v1", Raw(b"1"), Raw(b"{}")),
    ev.InstancePauseRequested(),
    ev.InstancePaused(),
    ev.InstanceResumed(),
    ev.InstanceParked("why"),
    ev.InstanceFailing("why"),
    ev.InstanceCancelRequested(),
    ev.CompensationStarted("workflow", "why"),
    ev.CompensationPlanned((ev.Done("a", 1, 1, 0),), Raw(b"[1]")),
    ev.CompensationEnded(),
    ev.InstanceCompleted(Raw(b"1")),
    ev.InstancePartiallySucceeded(Raw(b"1")),
    ev.InstanceFailed(Raw(b"1")),
    ev.InstanceCancelled(Raw(b"1")),
    ev.InstanceCompensated(),
    ev.InstanceReopened(),
    ev.InstanceMigrated("v1"),
    ev.SignalKept("signal", "s"),
    ev.SignalDropped("signal", "s", "why"),
]
NODE_EVENTS: list[ev.Event] = [
    ev.InputMapped("a", 1, Raw(b"1")),
    ev.NodeLogged("a", 1, "info", "so far"),
    ev.NodeReady("a", 1, "slots"),
    ev.NodeStarted("a", 1, 2),
    ev.NodeWaiting("a", 1, "timer", until=9),
    ev.NodeRetrying("a", 1, 1, ERROR, 9),
    ev.NodeFellBack("a", 1, "log", ERROR),
    ev.NodeCompleted("a", 1, 1, Raw(b"1"), (0,)),
    ev.NodeFailed("a", 1, 1, ERROR),
    ev.NodesSkipped((ev.Skip("a", "why"),)),
    ev.NodesCancelled(REF),
    ev.NodesRequeued(REF),
    ev.NodeCompensating("a", 1, 1),
    ev.NodeCompensated("a", 1),
    ev.NodeCompensationFailed("a", 1, ERROR),
    ev.NodeReset("a", 2),
    ev.SignalTaken("a", 1, "signal", "s"),
]
RUN_EVENTS: list[ev.Event] = [
    ev.NodeActivated("a", 2, (ev.Token(0),)),
    ev.RunCompleted("a", 1, 1, Raw(b"1"), (2,)),
    ev.RunFailed("a", 1, 1, ERROR),
]
"""Of nodes that have an inbox."""
BLOCK = graph(
    "a -> b", a={"type": "forEach", "config": {"items": [7, 8], "body": {"nodes": [{"id": "x", "type": "log"}]}}}
)
BLOCK_EVENTS: list[ev.Event] = [
    ev.BlockStarted("a", 1, Raw(b"[1]")),
    ev.ItemsAdded("a", 1, Raw(b"[2]")),
    ev.ScopeStarted("a", 1, 1),
    ev.ScopeEnded("a", 1, 0, "cancelled"),
    ev.VariablesConflict("a", 1, 0, ("x",)),
]
"""Of nodes that have bodies."""
WITHOUT_LIFECYCLE = {ev.VariablesSet, ev.RoutingFailed, ev.Intervened}


UNDOING = (ev.NodeCompensated, ev.NodeCompensationFailed)


def name(value: Any) -> str:
    return value if isinstance(value, str) else type(value).__name__


def instance_in(status: str, node: str | None = None, event: ev.Event | None = None) -> Instance:
    """An instance whose status, and whose node a's, is put there by hand: fold looks at nothing else, but for a saga that
    has come to where the event belongs."""
    instance = Instance(PLAN, "i")
    instance.status = status
    instance.plans = lambda version: PLAN
    if node is not None:
        instance.nodes[0] = NodeState(status=node)
        instance.active = int(node in ACTIVE)
        instance.finished = int(node in NODE_FINAL)
    if isinstance(event, (ev.CompensationPlanned, ev.CompensationEnded, ev.NodeCompensating, *UNDOING)):
        instance.saga = Saga(ends="failed", runs=(ev.Done("a", 1, 1, 0),), outputs=[b"1"])
        if isinstance(event, UNDOING):
            instance.saga.at, instance.saga.doing = 1, True
            instance.begin_undo(instance.saga)
    return instance


@pytest.mark.parametrize("status", INSTANCE_STATES)
@pytest.mark.parametrize("event", INSTANCE_EVENTS, ids=name)
def test_instance(status: str, event: ev.Event) -> None:
    instance = instance_in(status, event=event)
    before = state_bytes(instance)
    after = INSTANCE[name(event)].get(status)
    if after is None:
        with pytest.raises(IllegalTransition, match=f"the instance is {status} and cannot take {name(event)}"):
            fold(instance, event, 7)
        assert state_bytes(instance) == before
    else:
        fold(instance, event, 7)
        assert instance.status == after
        assert instance.ended_at == (7 if after in INSTANCE_FINAL else 0)


@pytest.mark.parametrize("status", [None, *NODE_STATES])
@pytest.mark.parametrize("event", NODE_EVENTS, ids=name)
def test_node(status: str | None, event: ev.Event) -> None:
    """None: a node that nobody has asked for yet is pending, and a refusal does not bring it into being."""
    instance = instance_in("running", status, event)
    before = state_bytes(instance)
    after = NODE[name(event)].get(status or "pending")
    if after is None:
        with pytest.raises(IllegalTransition, match=f"cannot take {name(event)}"):
            fold(instance, event, 7)
        assert state_bytes(instance) == before
        assert (instance.nodes[0] is None) == (status is None)
    else:
        fold(instance, event, 7)
        assert instance.status_of("a") == after
    check_counts(instance)


@pytest.mark.parametrize("status", NODE_STATES)
@pytest.mark.parametrize("event", RUN_EVENTS, ids=name)
def test_node_with_an_inbox(status: str, event: ev.Event) -> None:
    node = REPEATING.by_id["a"]
    instance = Instance(REPEATING, "i")
    instance.status = "running"
    instance.nodes[node.index] = NodeState(status=status)
    instance.active = int(status in ACTIVE)
    instance.finished = int(status in NODE_FINAL)
    instance.inbox(node).deliver(ev.Token(0), 1)
    if not isinstance(event, ev.NodeActivated):
        instance.inbox(node).take(1)
    before = state_bytes(instance)
    after = NODE[name(event)].get(status)
    if after is None:
        with pytest.raises(IllegalTransition, match=f"is {status} and cannot take {name(event)}"):
            fold(instance, event, 7)
        assert state_bytes(instance) == before
    else:
        fold(instance, event, 7)
        assert instance.status_of("a") == (after if after != "=" else status)
        assert instance.inbox(node).idle == (not isinstance(event, ev.NodeActivated))
    check_counts(instance)


@pytest.mark.parametrize("status", NODE_STATES)
@pytest.mark.parametrize("event", BLOCK_EVENTS, ids=name)
def test_node_with_bodies(status: str, event: ev.Event) -> None:
    instance = Instance(BLOCK, "i")
    instance.status = "running"
    for one in (ev.NodeStarted("a", 1, 1), ev.BlockStarted("a", 1, Raw(b"[7,8]")), ev.ScopeStarted("a", 1, 0)):
        fold(instance, one, 5)
    state = instance.state(BLOCK.by_id["a"])
    state.status = status
    instance.active, instance.finished = int(status in ACTIVE), int(status in NODE_FINAL)
    before = state_bytes(instance)
    after = NODE[name(event)].get(status)
    if after is None:
        with pytest.raises(IllegalTransition, match=f"is {status} and cannot take {name(event)}"):
            fold(instance, event, 7)
        assert state_bytes(instance) == before
    else:
        fold(instance, event, 7)
        assert instance.status_of("a") == (after if after != "=" else status)


@pytest.mark.parametrize(
    "events",
    [
        [ev.NodeActivated("a", 1, (ev.Token(1),))],  # it holds another message
        [ev.NodeActivated("a", 1, (ev.Token(0), ev.Token(1)))],
        [ev.NodeStarted("a", 1, 1), ev.RunCompleted("a", 1, 1)],  # it took none
        [ev.NodeStarted("x", 1, 1), ev.NodeCompleted("x", 1, 1, Raw(b"1"), (0,))] * 4,  # more than can come
    ],
    ids=["other", "more", "none", "full"],
)
def test_a_history_that_no_inbox_can_have_is_refused(events: list[ev.Event]) -> None:
    """An instance with such rows is set aside, and the others go on: it must be an error that says so."""
    node = REPEATING.by_id["a"]
    instance = Instance(REPEATING, "i")
    instance.status = "running"
    instance.nodes[node.index] = NodeState()
    instance.inbox(node).deliver(ev.Token(0), 1)
    with pytest.raises(IllegalTransition):
        for event in events:
            if isinstance(event, ev.NodeStarted) and event.path == "x":
                instance.nodes[REPEATING.by_id["x"].index] = None
            fold(instance, event, 7)


@pytest.mark.parametrize(
    "event",
    [
        ev.NodesSkipped((ev.Skip("b", ""), ev.Skip("c", ""), ev.Skip("a", ""))),
        ev.NodesSkipped((ev.Skip("b", ""), ev.Skip("b", ""))),
        ev.NodesCancelled((ev.Ref("a", 1), ev.Ref("b", 1))),
        ev.NodesRequeued((ev.Ref("a", 1), ev.Ref("c", 1))),
    ],
    ids=name,
)
def test_an_event_about_several_nodes_is_refused_whole(event: ev.Event) -> None:
    instance = instance_in("running", "running")
    before = state_bytes(instance)
    with pytest.raises(IllegalTransition):
        fold(instance, event, 7)
    assert state_bytes(instance) == before


def test_the_tables_speak_of_the_same_states() -> None:
    for table, states in ((INSTANCE, INSTANCE_STATES), (NODE, NODE_STATES)):
        assert {state for rows in table.values() for pair in rows.items() for state in pair} == set(states)
    assert set(INSTANCE_STATES) >= INSTANCE_FINAL | STARTING
    assert set(NODE_STATES) == NODE_FINAL | ACTIVE | {"pending"}
    assert not NODE_FINAL & ACTIVE
    assert not INSTANCE_FINAL & STARTING


def test_final_states_are_left_by_intervention_and_compensation_only() -> None:
    leaving = {event for event, rows in NODE.items() for before in rows if before in NODE_FINAL}
    assert leaving == {"NodeReset", "NodeCompensating"}
    leaving = {event for event, rows in INSTANCE.items() for before in rows if before in INSTANCE_FINAL}
    assert leaving == {"InstanceReopened", "CompensationStarted"}


def test_every_event_is_folded_and_has_a_lifecycle() -> None:
    events = set(get_args(ev.AnyEvent))
    assert set(FOLD) == events
    assert {
        type(event) for event in INSTANCE_EVENTS + NODE_EVENTS + RUN_EVENTS + BLOCK_EVENTS
    } | WITHOUT_LIFECYCLE == events
    assert set(INSTANCE) == {name(event) for event in INSTANCE_EVENTS}
    assert set(NODE) == {name(event) for event in NODE_EVENTS + RUN_EVENTS + BLOCK_EVENTS}


def test_every_input_has_a_rule() -> None:
    assert set(RULES) == set(get_args(inputs.AnyInput))


def test_attempts_end_where_their_node_leaves_running() -> None:
    """Whatever takes a node out of `running` or `waiting` is a row of the attempt's table, and starts begin one."""
    ends = {
        event
        for event, rows in NODE.items()
        for before, after in rows.items()
        if before in ("running", "waiting") and after != before
    }
    starts_again = {"NodeReady", "NodeStarted"}
    assert ends - starts_again == set(ATTEMPT) - {"NodeStarted"}
    assert ATTEMPT["NodeStarted"] == {"absent": "running", "waiting": "running"}
    for event, rows in ATTEMPT.items():
        for before in set(rows) - {"absent"}:
            assert before in NODE[event], f"{event} from {before}"


def test_a_timer_leaves_armed_once() -> None:
    assert TIMER["armed"] == {"absent": "armed"}
    assert {event: set(rows) for event, rows in TIMER.items() if event != "armed"} == {
        "fired": {"armed"},
        "cancelled": {"armed"},
        "stale": {"armed"},
    }
    assert len({fx.NODE_TIMEOUT, fx.RETRY, fx.DELAY, fx.INSTANCE_TIMEOUT}) == 4


@pytest.mark.parametrize(
    ("status", "error", "handled", "left"),
    [
        ("failed", ERROR, False, 0),
        ("failed", ERROR, True, 1),
        ("cancelled", ERROR, False, 1),
        ("skipped", None, False, 1),
    ],
)
def test_a_reset_takes_back_what_was_counted(status: str, error: Any, handled: bool, left: int) -> None:
    """A node that was cancelled while it was retrying has an error too, but nobody counted that as unhandled."""
    instance = instance_in("running", status)
    instance.unhandled = 1
    instance.nodes[0] = NodeState(status=status, error=error, handled=handled, tokens=2, messages=[0])
    fold(instance, ev.NodeReset("a", 2), 7)
    assert instance.unhandled == left
    assert instance.nodes[0] == NodeState(run=2, tokens=2, messages=[0])


def test_a_reset_of_a_degraded_node_is_no_longer_degraded() -> None:
    instance = instance_in("running", "falling_back")
    fold(instance, ev.NodeCompleted("a", 1, 1, Raw(b"1"), (), degraded=True), 7)
    assert instance.degraded == 1
    fold(instance, ev.NodeReset("a", 2), 8)
    assert instance.degraded == 0


def test_variables_merge_by_name() -> None:
    instance = instance_in("running")
    fold(instance, ev.VariablesSet(Raw(b'{"x":1,"y":{"z":2}}')), 7)
    fold(instance, ev.VariablesSet(Raw(b'{"y":3,"q":null}'), "a", 1), 8)
    assert instance.variables == b'{"x":1,"y":3,"q":null}'
