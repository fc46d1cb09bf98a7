"""What the auditor says to what is done by hand (SEMANTICS 93 to 98): each order has its effect once, the effect that was
asked for; what is refused could not be done, and changed nothing; what nobody asked for does not run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from mainspring.journal.messages import CompleteNode, Intervention, Message, RerunFrom, RetryNode, SetVariables
from mainspring.journal.records import InboxMessage
from mainspring.machine import events as ev
from mainspring.testing.simulation.checks_letters import near_its_timeout
from mainspring.testing.simulation.orders import HANDS, NAMES, Asked, why_not
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.world import World

_decode = msgspec.json.Decoder(Message).decode


class ByHand:
    """`orders` is what was posted, by message; `done` names what is in the journal, `sure` what was acknowledged."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.orders: dict[str, Asked] = {}
        self.done: set[str] = set()
        self.sure: dict[str, str] = {}

    def posted(self, message: InboxMessage) -> None:
        """A message is in the store: perhaps such an order."""
        body = _decode(message.body)
        if isinstance(body, Intervention):
            id = self.world.audit.instances[message.instance].id
            self.orders[message.id] = Asked(NAMES[type(body)], id, body)

    def acknowledged(self, asked: Asked) -> None:
        """An engine has said that it is durable."""
        mine = [id for id, order in self.orders.items() if order.by == asked.by]
        text = f"{asked} was acknowledged, and its messages are {[(id, self.orders[id]) for id in mine]}"
        if len(mine) != 1 or not self.orders[mine[0]].same(asked):
            self.world.fail("acknowledged is durable", text)
        else:
            self.sure[asked.by] = mine[0]

    def lost(self) -> list[str]:
        """What was acknowledged, and nobody has taken."""
        audit = self.world.audit
        for by in [by for by, message in self.sure.items() if audit.is_consumed(message)]:
            del self.sure[by]
        return [f"{by} was acknowledged, and nobody took it" for by in self.sure]

    # --- what is refused ----------------------------------------------------------------------------------------------

    def refused(self, watched: Watched, message: str) -> None:
        """The instance has taken it, and there is no row."""
        asked = self.orders.get(message)
        again = message in watched.messages  # nobody knew whether the first time was durable
        if asked is not None and asked.by.startswith(HANDS) and not again:
            self.must_refuse(watched, asked, watched.id in self.world.poisoned)

    def must_refuse(self, watched: Watched, asked: Asked, doubtful: bool) -> None:
        """A refusal has a reason. `doubtful`: the machine failed, or things have moved on since it was decided."""
        self.world.points.hit("by hand is refused")
        now = watched.audit.world.now_at_owner()
        if not doubtful and not near_its_timeout(watched, now) and not why_not(watched, asked, watched.status, now):
            watched.flag("by hand is refused for a cause", f"{asked} could be done")


# --- what is done -------------------------------------------------------------------------------------------------------


def intervened(watched: Watched, event: ev.Intervened) -> None:
    """Somebody does something by hand, and the row begins with who and what."""
    hands = watched.audit.hands
    asked = hands.orders.get(watched.message)
    watched.must(watched.place == 0, "audits come first", f"{event} is event {watched.place}")
    told = None if asked is None else (asked.what, asked.path, asked.run, asked.by, asked.message.reason)
    right = told == (event.what, event.path, event.run, event.by, event.reason)
    if asked is None or not right:
        watched.flag("by hand for a cause", f"{event}, and the message is {asked}")
        return
    watched.by_hand = asked
    reason = why_not(watched, asked, watched.status, watched.at)
    watched.must(not reason, "by hand where it can be", f"{asked}: {reason}")
    if not asked.by.startswith(HANDS):
        return  # a letter is put back to work
    watched.must(asked.by not in hands.done, "an order has effect once", f"{asked} a second time")
    hands.done.add(asked.by)
    _hit(watched, asked.what)
    if asked.path:
        scope, _, node = watched.find(asked.path)
        if asked.what in ("skip", "complete") and node.status != "completed":
            watched.audit.world.points.hit(f"by hand: {asked.what} what is {_short(node.status)}")
        if asked.what == "retry" and node.status == "retrying":
            node.due = watched.clock
            watched.audit.world.points.hit("by hand: retry at once")
        if scope.block is not None:
            watched.audit.world.points.hit("by hand: in a body")
    if not watched.open:
        watched.audit.world.points.hit("by hand: at its end")
    if watched.stands:
        watched.audit.world.points.hit("by hand: while all stands still")


def _short(status: str) -> str:
    return status if status in ("pending", "failed", "running") else "under way"


def _hit(watched: Watched, what: str) -> None:
    watched.audit.world.points.hit(f"by hand: {what}")


def after_row(watched: Watched) -> None:
    """What was ordered has been done in the row that says so."""
    asked = watched.by_hand
    if asked is None or not asked.by.startswith(HANDS):
        return
    found = any(_does(event, asked, watched) for event in watched.events[1:])
    if asked.what == "retry" and watched.stands and len(watched.events) == 1:
        return  # its next attempt is made when it goes on
    watched.must(found, "what is ordered is done", f"{asked}: {watched.events}")
    if getattr(asked.message, "input", UNSET) is not UNSET:
        told = any(isinstance(one, ev.InputMapped) and one.path == asked.path for one in watched.events)
        watched.must(told, "inputs are right", f"{asked}: its input is not told")


def _does(event: Any, asked: Asked, watched: Watched) -> bool:
    if isinstance(event, ev.NodesSkipped):
        return asked.what == "skip" and any(one.path == asked.path for one in event.skips)
    if isinstance(event, ev.NodesCancelled):
        return asked.what == "skip" and any(one.path == asked.path for one in event.runs)
    if isinstance(event, ev.VariablesSet):
        return asked.what == "variables"
    if getattr(event, "path", None) != asked.path:
        return False
    if asked.what == "complete":
        return isinstance(event, ev.NodeCompleted)
    if asked.what == "rerun":
        return isinstance(event, ev.NodeReset)
    return asked.what == "retry"


def is_skipped(watched: Watched, path: str) -> bool:
    """Whether the row skips this node by hand, or one around it."""
    asked = watched.by_hand
    return asked is not None and asked.what == "skip" and asked.covers(path)


def is_completed(watched: Watched, path: str) -> bool:
    """Whether the row ends this node well by hand."""
    asked = watched.by_hand
    return asked is not None and asked.what == "complete" and asked.path == path


def given_output(scope: WatchedScope, id: str, node: WatchedNode, event: ev.NodeCompleted | ev.RunCompleted) -> Any:
    """A node is done because somebody says so, with what that one says."""
    whole = scope.whole
    asked = whole.by_hand
    assert asked is not None and isinstance(asked.message, CompleteNode), "it is completed by hand"
    got, wanted = msgspec.json.decode(event.output), msgspec.json.decode(asked.message.output)
    right = (got, event.port, event.run) == (wanted, asked.message.port, node.run)
    scope.must(right, "outputs are right", f"{id} gives {got} by {event.port}, and {asked} was ordered")
    node.by_hand = True
    busy = node.status in ("running", "waiting")
    scope.must(busy, "by hand where it can be", f"{id} is completed while it is {node.status}")
    if node.status == "running":
        whole.audit.windows.stopped(whole.id, scope.path(id))
    return wanted


def given_input(watched: Watched, event: ev.InputMapped) -> Any:
    """What somebody gives a run that he has begin (UNSET: nothing)."""
    asked = watched.by_hand
    if asked is None or asked.path != event.path or not isinstance(asked.message, RetryNode | RerunFrom):
        return UNSET
    given = asked.message.input
    return UNSET if given is UNSET else msgspec.json.decode(given)


def set_by_hand(watched: Watched, event: ev.VariablesSet) -> None:
    """The variables of the whole: only somebody can set these."""
    asked = watched.by_hand
    order = None if asked is None else asked.message
    right = isinstance(order, SetVariables) and msgspec.json.decode(order.values) == msgspec.json.decode(event.values)
    watched.must(right, "variables are right", f"{event}, and the order is {asked}")
