"""What follows from the end of nodes: a turn goes in waves (SEMANTICS, "In what order things are decided").

In a wave first everybody decides whose tokens may have changed: the targets of the nodes that ended, of those that are
skipped for it, and so on, a worklist and never recursion. Then those start that can. Some end at once, and the next wave
begins with them. The cost is linear in the connections passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

import msgspec

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.fold import fold_skip
from mainspring.machine.inbox import Inbox
from mainspring.machine.instance import NodeState
from mainspring.machine.joins import decide, has_room
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import blocks, milestone, running
from mainspring.machine.policies import failure, saga
from mainspring.machine.reasons import why_skipped
from mainspring.machine.saga import UndoScope
from mainspring.machine.scope import BodyScope, Scope
from mainspring.machine.stopping import record_skips, stop_nodes
from mainspring.machine.turn import Turn, WaveToCome

_decode_error = msgspec.json.Decoder(ev.ErrorRecord).decode


def advance(turn: Turn, ended: PlanNode) -> None:
    """All that follows from the end of a node, or of one of its runs."""
    carry_out(turn, Wave(turn, [*turn.take_stopped(), ended] if turn.stopped else [ended]).decided())
    failure.settle(turn)


def follow(turn: Turn, node: PlanNode, ended: bool) -> None:
    """All that follows from what became of a node: of its end, or else of what has begun within it."""
    if ended:
        advance(turn, node)
    else:
        carry_on(turn)
        failure.settle(turn)


def begin(turn: Turn) -> None:
    """All that follows from the start of the instance: its entry nodes start."""
    carry_out(turn, turn.scope.graph.roots)
    failure.settle(turn)


def go_on(turn: Turn) -> None:
    """Start what became startable while the instance stood still. It may end by that: the caller settles."""
    scopes = list(turn.instance.scopes)
    for scope in scopes:
        turn.line[scope] = WaveToCome([], [], all=True)
    for scope in scopes:
        for index in sorted(scope.blocks):
            turn.scope = scope
            blocks.go_on(turn, scope.graph.nodes[index])
    carry_on(turn)


def carry_on(turn: Turn) -> None:
    """Carry out what is in the line, if anything is."""
    if turn.line:
        carry_out(turn, _next(turn))


def _next(turn: Turn) -> Iterable[PlanNode]:
    """Take the first wave of the line, and give the nodes that can start in it."""
    scope = next(iter(turn.line))
    wave = turn.line.pop(scope)
    turn.scope = scope
    return wave.starting or Wave(turn, wave.ended).decided(scope.graph.nodes if wave.all else ())


def carry_out(turn: Turn, ready: Iterable[PlanNode] = ()) -> None:
    """Start the nodes, and go on with those that ended at once, in their scope and in all others: wave after wave.

    While the line is empty, as it is where nothing has a body, a scope's next wave follows at once.
    """
    scope, line = turn.scope, turn.line
    while True:
        ended = _start(turn, ready) if ready else []
        if scope.graph.milestones:
            ended += _milestones(turn)
        if not line:
            if ended:
                ready = Wave(turn, ended).decided()
                continue
            if scope is turn.instance or not _over(turn, scope):
                return
        elif ended:
            turn.ended(scope, ended)
        else:
            _over(turn, scope)
        if not line:
            return
        ready = _next(turn)
        scope = turn.scope


def _start(turn: Turn, ready: Iterable[PlanNode]) -> list[PlanNode]:
    """Start what can, and give those that ended at once."""
    scope, status = turn.scope, turn.instance.status
    nodes = scope.nodes
    ended: list[PlanNode] = []
    for node in ready:
        if turn.instance.status not in STARTING or turn.instance.status != status:
            return []
        state = nodes[node.index]
        if state is not None and state.status not in ("pending", "gathering"):
            continue  # a join that was decided later stopped it
        if running.start(turn, node):
            if turn.stopped:
                ended += turn.take_stopped()
            ended.append(node)
    # Where one of them has ended the instance, all that is open is stopped, and nothing follows from the others. Nor where
    # the end is put off for a saga.
    return ended if turn.instance.status in STARTING and turn.instance.status == status else []


def _milestones(turn: Turn) -> list[PlanNode]:
    """Let those milestones leave that can, and give them."""
    return [node for node, state, outcome in milestone.reached(turn) if running.finish(turn, node, state, outcome)]


def _over(turn: Turn, scope: Scope) -> bool:
    """Whether this was a body that has ended; its block has gone on, then."""
    if scope.active or not isinstance(scope, BodyScope) or scope in turn.line:
        return False
    if turn.instance.status not in STARTING or scope.address not in turn.instance.open:
        return False  # while the instance stands still nothing ends that might go on
    if isinstance(scope, UndoScope):
        saga.scope_over(turn, scope)
    else:
        blocks.body_over(turn, scope)
    return True


class Wave:
    """The first part of a wave: everybody decides."""

    __slots__ = ("_line", "_ready", "_roomier", "_skips", "_turn")

    def __init__(self, turn: Turn, ended: list[PlanNode]) -> None:
        self._turn = turn
        self._line = ended
        self._ready: dict[int, PlanNode] = {}
        self._skips: list[ev.Skip] = []
        self._roomier: list[PlanNode] | None = None

    def decided(self, first: Iterable[PlanNode] = ()) -> Iterable[PlanNode]:
        """The nodes that can start, in the order in which that was decided. `first` decide before all others."""
        turn = self._turn
        graph, states = turn.scope.graph, turn.scope.nodes
        for node in first:
            self._decide(node, states[node.index])
        for node in self._line:  # which grows meanwhile
            for edge in node.outgoing:
                target = graph.nodes[edge.target]
                state = states[edge.target]
                if target.joins_plainly:  # as `_decide` has it for the usual node, without its calls
                    if state is None or state.tokens != target.in_degree or state.status != "pending":
                        continue
                    if not state.messages:
                        self._skip(target)
                    elif turn.instance.status in STARTING:
                        self._ready[edge.target] = target
                else:
                    self._decide(target, state)
            if node.repeating:
                self._decide(node, states[node.index])
        if self._roomier is not None:
            self._let_upstream_go_on()
        if self._skips:
            self._flush()
        return self._ready.values()

    def _decide(self, node: PlanNode, state: NodeState | None) -> None:
        if node.inbox is not None:
            self._room_in(node)
        if state is None or (state.status != "pending" and state.status != "gathering"):
            return
        inbox = None if node.inbox is None else self._turn.scope.inbox(node)
        decision = decide(node, state, inbox)
        if decision == "run":
            self._run(node, state, inbox)
        elif decision == "skip":
            self._skip(node)
        elif decision == "end":
            self._end(node, state)

    def _run(self, node: PlanNode, state: NodeState, inbox: Inbox | None) -> None:
        turn = self._turn
        if turn.instance.status not in STARTING:
            return
        if node.cancels_others and node.index not in self._ready:
            self._flush()
            path = turn.path(node)
            stop_nodes(turn, turn.scope.graph.stopped_by(node), f"{path} has what it waited for", path)
        if inbox is not None:
            if node.repeating and not has_room(turn.scope, node):
                return
            self._flush()
            taken = inbox.first(turn.at)
            assert taken is not None, "a node runs without a message on each lane"
            turn.emit(ev.NodeActivated(turn.path(node), len(inbox.results) + 1, taken))
        self._ready[node.index] = node

    def _skip(self, node: PlanNode) -> None:
        skip = ev.Skip(self._turn.path(node), *why_skipped(self._turn, node))
        fold_skip(self._turn.instance, skip, self._turn.at)
        self._skips.append(skip)
        self._line.append(node)

    def _end(self, node: PlanNode, state: NodeState) -> None:
        """No message can come any more: a repeating node ends as its runs did."""
        self._flush()
        inbox = self._turn.scope.inbox(node)
        failed = inbox.failure()
        if failed is None:
            self._turn.emit(ev.NodeCompleted(self._turn.path(node), state.run, state.attempt))
        else:
            error = _decode_error(failed.error or b"")
            handled = all(one.handled for one in inbox.results if one.error is not None)
            self._turn.emit(ev.NodeFailed(self._turn.path(node), state.run, state.attempt, error, (), handled))
        self._line.append(node)

    def _flush(self) -> None:
        """Record the skips that were folded so far, before anything else is recorded."""
        if self._skips:
            record_skips(self._turn, self._skips)
            self._skips = []

    # -- room in inboxes

    def _room_in(self, node: PlanNode) -> None:
        """There may be more room than before in the node's inbox."""
        assert node.inbox is not None
        if node.inbox.rivals:
            if self._roomier is None:
                self._roomier = []
            self._roomier.append(node)

    def _let_upstream_go_on(self) -> None:
        """Repeating nodes that could take messages but for the room decide again, in order, until none can take."""
        waiting = self._rivals()
        while waiting:
            heapify(waiting)
            later: list[int] = []
            while waiting:
                index = heappop(waiting)
                node, state = self._turn.scope.graph.nodes[index], self._turn.scope.nodes[index]
                before = len(self._turn.events)
                self._decide(node, state)
                if len(self._turn.events) == before:
                    continue
                for other in self._rivals():
                    if other > index and other not in waiting:
                        heappush(waiting, other)
                    elif other <= index:
                        later.append(other)
            waiting = list(dict.fromkeys(later))

    def _rivals(self) -> list[int]:
        found = dict.fromkeys(
            index for node in self._roomier or () if node.inbox is not None for index in node.inbox.rivals
        )
        self._roomier = []
        return list(found)
