"""The inbox of a node whose messages wait for their turn: one that can run more than once, or joins by `ports`.

Each lane is a leased queue (SEMANTICS 10): a run takes the first message of each lane, on a lease that lives as long as
the run, and settles them when it ends. An inbox never refuses a token; whoever sends sees first whether there is room.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.graph.joining import InboxPlan
from mainspring.machine.events import Token
from mainspring.machine.lifecycle import IllegalTransition
from mainspring.queue import Lease, LeasedQueue, QueueSnapshot


class RunResult(Struct, array_like=True):
    """How one run of a repeating node ended. `error` is the JSON of its ErrorRecord, None where it completed."""

    run: int
    output: bytes | None = None
    error: bytes | None = None
    handled: bool = False


class InboxState(Struct, array_like=True):
    """What a snapshot holds of an inbox."""

    lanes: list[QueueSnapshot[Token]]
    closed: list[int]
    taken: list[Lease[Token]]
    results: list[RunResult]


class Inbox:
    """Mutated by `fold` and by nothing else. `closed` counts for each lane the sources that will send no more."""

    __slots__ = ("closed", "lanes", "plan", "results", "taken")

    def __init__(self, plan: InboxPlan) -> None:
        self.plan = plan
        # A message that a run holds still has its place in the queue, so there is one more than for those that wait.
        self.lanes: list[LeasedQueue[Token]] = [LeasedQueue(plan.capacity + 1) for _ in plan.sources]
        self.closed = [0] * len(plan.sources)
        self.taken: list[Lease[Token]] = []
        self.results: list[RunResult] = []

    def deliver(self, token: Token, at: int) -> None:
        """A message arrives."""
        answer = self.lanes[self.plan.lane_of[token.connection]].offer(token, at)
        if not answer:
            raise IllegalTransition(f"an inbox was sent more than it has room for: {answer}")

    def close(self, connection: int) -> None:
        """Nothing more will come by this connection."""
        self.closed[self.plan.lane_of[connection]] += 1

    def first(self, at: int) -> tuple[Token, ...] | None:
        """What the next run would take: one message of each lane, None where some lane has none."""
        found = [lane.peek(at) for lane in self.lanes]
        return None if any(token is None for token in found) else tuple(token for token in found if token is not None)

    def take(self, at: int) -> None:
        """A run takes the first message of each lane."""
        leases = [lane.checkout(at, None) for lane in self.lanes]
        self.taken = [lease for lease in leases if lease is not None]

    def settle(self, result: RunResult, at: int) -> None:
        """The run has ended, well or badly: what it took is done with."""
        if len(self.taken) != len(self.lanes):
            raise IllegalTransition(f"run {result.run} ends, and holds no messages")
        for lane, lease in zip(self.lanes, self.taken, strict=True):
            lane.acknowledge(lease, at)
        self.taken = []
        self.results.append(result)

    @property
    def idle(self) -> bool:
        """Whether no run holds a message."""
        return not self.taken

    @property
    def exhausted(self) -> bool:
        """Whether some lane is empty for good, so that no further run can come."""
        pairs = zip(self.lanes, self.closed, self.plan.sources, strict=True)
        return any(not lane.depth and closed == sources for lane, closed, sources in pairs)

    @property
    def waiting(self) -> int:
        """Messages that nobody has taken."""
        return sum(lane.depth for lane in self.lanes)

    @property
    def outputs(self) -> bytes:
        """The outputs of the completed runs, in the order of runs."""
        return b"[" + b",".join(one.output for one in self.results if one.output is not None) + b"]"

    def failure(self) -> RunResult | None:
        """The first run that failed."""
        return next((one for one in self.results if one.error is not None), None)


def capture_inbox(inbox: Inbox) -> InboxState:
    """Its state as a value of its own."""
    return InboxState([lane.snapshot() for lane in inbox.lanes], inbox.closed, inbox.taken, inbox.results)


def restore_inbox(plan: InboxPlan, state: InboxState) -> Inbox:
    """The inbox that `capture_inbox` was given."""
    inbox = Inbox(plan)
    inbox.lanes = [LeasedQueue.restore(lane) for lane in state.lanes]
    inbox.closed, inbox.taken, inbox.results = state.closed, state.taken, state.results
    return inbox
