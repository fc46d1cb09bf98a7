"""Checkpoint policies other than `each`: the dispatch of tasks runs ahead of what is durable, by the user's choice.

What an instance decides is kept back until a checkpoint is due, and becomes durable in one commit. Meanwhile its tasks are
begun, its timers armed and its limits held and given back as they are decided. All that leaves the instance still waits for
the commit (SEMANTICS 6): its start and its end, what is sent to others, acknowledgements of messages, what a saga undoes,
locks that are given back, each change of its status. Such a turn is a checkpoint itself, and nothing runs ahead until it is
durable. So is one after which no task of the instance runs: nothing would be gained by holding it back.

What was not durable at a crash is done again. Nothing of it was counted, so a task that ends its process would do so for
ever: an instance that comes from the store (after a crash, a restart, a failed commit) goes on node by node. One that this
engine laid to sleep itself comes as it went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from mainspring.definition.model import Checkpoint
from mainspring.engine.live import Entry, Live
from mainspring.engine.settings import EngineSettings
from mainspring.engine.writer import Writer
from mainspring.graph.plan import Plan
from mainspring.machine.effects import AnyEffect, EndInstance, ReadBack, ReleaseAdmission, Send
from mainspring.machine.events import Event, NodeCompleted, RunCompleted

LEAVING: frozenset[type] = frozenset((Send, ReadBack, EndInstance))
"""Orders that lead out of the instance, or back to its journal."""

GIVING_BACK = LEAVING | {ReleaseAdmission}
"""Where there are locks: one that was given back, and is held again after a crash, would have two holders."""

COMPLETIONS: frozenset[type] = frozenset((NodeCompleted, RunCompleted))


class Ahead:
    """How far an instance is ahead: `turns` kept back, in which so many nodes completed. `waiting`: turns on their way to the
    store whose orders wait for it; until there are none, nothing runs ahead. `due`: when the interval is over."""

    __slots__ = ("completed", "due", "leaving", "policy", "turns", "waiting")

    def __init__(self, policy: Checkpoint, plan: Plan) -> None:
        self.policy = policy
        self.leaving = GIVING_BACK if any(node.definition.type == "mutex" for node in plan.everywhere()) else LEAVING
        self.turns: list[Entry] = []
        self.completed = 0
        self.waiting = 0
        self.due: asyncio.TimerHandle | None = None

    def settled(self) -> None:
        """A turn whose orders waited is durable, and they have been carried out."""
        self.waiting -= 1


def policy_of(live: Live) -> Ahead | None:
    """How a new instance goes ahead (None: not at all)."""
    policy = live.program.plan.workflow.checkpoint
    return None if policy is None or policy.policy == "each" else Ahead(policy, live.program.plan)


class Checkpoints:
    """`carry_out` does at once what a turn ordered."""

    def __init__(
        self, writer: Writer, settings: EngineSettings, carry_out: Callable[[Live, Sequence[AnyEffect]], None]
    ) -> None:
        self._writer = writer
        self._turns_max = settings.ahead_turns_max
        self._carry_out = carry_out
        self._lives: set[Live] = set()
        self.asleep: set[int] = set()

    def add(self, ahead: Ahead, entry: Entry) -> None:
        """Keep a turn back, or have it written with all that was kept back."""
        live = entry.live
        if ahead.waiting or _must_wait(entry, ahead.leaving):
            self.flush(live)
            ahead.waiting += 1
            entry.done = ahead.settled
            self._writer.add(entry)
            return
        ahead.turns.append(entry)
        self._lives.add(live)
        effects, entry.effects = entry.effects, []
        self._carry_out(live, effects)
        if live.ahead is ahead and ahead.turns:  # unless that failed
            ahead.completed += _completions(entry.events)
            if self._due(live, ahead):
                self.flush(live)

    def _due(self, live: Live, ahead: Ahead) -> bool:
        policy = ahead.policy
        if not live.tasks or len(ahead.turns) >= self._turns_max:
            return True
        if policy.count is not None and policy.policy == "count":
            return ahead.completed >= policy.count
        if policy.interval is not None and policy.policy == "interval" and ahead.due is None:
            ahead.due = asyncio.get_running_loop().call_later(policy.interval / 1000, self.flush, live)
        return False

    def flush(self, live: Live) -> None:
        """Take a checkpoint: what was kept back is handed to the writer."""
        for entry in self.drop(live):
            self._writer.add(entry)

    def drop(self, live: Live) -> list[Entry]:
        """What was kept back, which is kept back no longer."""
        ahead = live.ahead
        if ahead is None:
            return []
        if ahead.due is not None:
            ahead.due.cancel()
            ahead.due = None
        self._lives.discard(live)
        turns, ahead.turns, ahead.completed = ahead.turns, [], 0
        return turns

    def close(self) -> None:
        """From now on every turn is written at once, and what was kept back with them."""
        for live in tuple(self._lives):
            self.flush(live)
        self._turns_max = 1

    def claimed(self, live: Live) -> None:
        """The instance comes from the store."""
        if live.number in self.asleep:
            self.asleep.discard(live.number)
            live.ahead = policy_of(live)

    def forget(self, live: Live) -> None:
        """The instance goes on node by node, if at all; what was kept back is lost."""
        self.drop(live)
        live.ahead = None


def _must_wait(entry: Entry, leaving: frozenset[type]) -> bool:
    """Whether something waits for this turn to be durable: whoever sent a message, others that hear of it, a saga."""
    instance, write = entry.live.instance, entry.write
    if instance.status != "running" or instance.saga is not None:
        return True
    if write is not None and (
        write.consumed or write.created is not None or write.change is not None or write.outbox or write.buried
    ):
        return True
    return any(type(effect) in leaving for effect in entry.effects)


def _completions(events: Sequence[Event]) -> int:
    return sum(1 for event in events if type(event) in COMPLETIONS)
