"""Dead letters as the auditor sees them (SEMANTICS 83 to 85): what is given up is buried once, in the commit that gives it
up; a letter that is raised is gone, its node runs again as if for the first time, and so does what ended only because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.journal.records import Change, InstanceRecord, Write
from mainspring.testing.simulation.watched import ENDS, Watched
from mainspring.testing.simulation.watched_scope import WatchedScope

if TYPE_CHECKING:
    from mainspring.testing.simulation.world import World

CRASH_LIMIT = "CrashLimit"
REOPENED_FROM = frozenset(ENDS.values()) - {"cancelled"}
OPEN = frozenset({"running", "pausing", "paused", "parked"})
MARGIN_MS = 3_000
"""Whether a timeout is over is not judged so near to it: a refusal may have been decided a while before it is seen."""


class Seen(Struct, frozen=True):
    """A letter: a run of a node that was given up."""

    id: str
    instance: str
    path: str
    run: int


class Letters:
    """`kept` are those that lie there, by id; `orders` what was asked for, by the message that asks for it.
    `reopened` has the numbers of the instances at their end that were opened so that their message is taken, and when
    that was, `unwanted` the letters that somebody wants to be lost."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: dict[str, Seen] = {}
        self.orders: dict[str, Seen] = {}
        self.reopened: dict[int, float] = {}
        self.unwanted: set[str] = set()

    # --- what is written ----------------------------------------------------------------------------------------------

    def written(self, watched: Watched, write: Write) -> None:
        """A turn is durable: it buries what it gave up and raises what runs again, and nothing else."""
        given_up = [f"{watched.id}/{path}/{run}" for path, run in watched.given_up]
        buried = [letter.id for letter in write.buried]
        watched.must(buried == given_up, "what is given up is buried", f"it buries {buried}, and gives up {given_up}")
        again = [f"{watched.id}/{path}/{run}" for path, run in watched.asked_again]
        raised = list(write.raised)
        watched.must(
            sorted(raised) == sorted(again), "letters are raised by what runs again", f"it raises {raised}, not {again}"
        )
        for path, run in watched.given_up:
            letter = Seen(f"{watched.id}/{path}/{run}", watched.id, path, run)
            known = letter.id in self.kept  # it undoes the same once more, at the same address
            self.kept[letter.id] = letter
            self.world.points.hit("a letter is buried")
            if not known:
                self.world.buried(letter)
        for id in raised:
            self.kept.pop(id, None)
        watched.given_up, watched.asked_again = [], []
        if not write.rows:
            for id in write.consumed:
                self._refused(watched, id)
                self.world.audit.hands.refused(watched, id)

    def opened(self, watched: Watched, record: InstanceRecord | Change) -> None:
        """An instance at its end is opened without a turn: only because somebody wants a node of it to run again."""
        asked = any(one.instance == watched.id for one in self.world.audit.hands.orders.values())
        watched.must(asked, "final is final", "its record is opened, and nobody asked for that")
        text = f"it is opened as {record.status}, and is {watched.status}"
        watched.must(record.status == watched.status, "records agree with rows", text)
        self.reopened[watched.number] = self.world.scheduler.now

    def purged(self, ids: Sequence[str], count: int) -> None:
        """Somebody lost letters for good."""
        there = [id for id in ids if self.kept.pop(id, None) is not None]
        unasked = [id for id in there if id not in self.unwanted]
        if unasked:
            self.world.fail("letters are kept", f"{unasked} are lost, and nobody wanted that")
        if len(there) != count:
            self.world.fail("letters are kept", f"{count} of {ids} were purged, and {there} were there")

    # --- what is refused ----------------------------------------------------------------------------------------------

    def _refused(self, watched: Watched, message: str) -> None:
        order = self.orders.get(message)
        if order is not None:
            self.world.points.hit("a requeued letter is refused")
            self.must_refuse(watched, order, watched.id in self.world.poisoned)

    def must_refuse(self, watched: Watched, letter: Seen, doubtful: bool) -> None:
        """A refusal has a reason. `doubtful`: the machine failed, or time has passed since it was decided."""
        now = watched.audit.world.now_at_owner()
        if not doubtful and not near_its_timeout(watched, now) and not why_not(watched, letter.path, letter.run, now):
            watched.flag("a letter is refused for a cause", f"{letter.path} run {letter.run} could run again")

    def left_at_the_end(self, there: Sequence[str]) -> None:
        """The store has the letters that were neither raised nor purged: those, and no others."""
        if sorted(there) != sorted(self.kept):
            self.world.fail(
                "letters are kept", f"the store has {sorted(there)}, and there should be {sorted(self.kept)}"
            )


# --- what can run again -----------------------------------------------------------------------------------------------


def near_its_timeout(watched: Watched, now: int) -> bool:
    """Whether nobody can say if its time was over when something was decided that is only seen now."""
    return watched.open and now >= watched.times_out_at - MARGIN_MS


def why_not(watched: Watched, path: str, run: int, now: int) -> str:
    """Why this run of a node cannot be followed by another one ("": it can)."""
    return why_not_again(watched, watched.status, path, run, now)


def why_not_again(watched: Watched, status: str, path: str, run: int, now: int) -> str:
    """The same, for an instance that had this status when the row began."""
    if status not in OPEN and status not in REOPENED_FROM:
        return f"the instance is {status}"
    if status not in REOPENED_FROM and now >= watched.times_out_at:
        return "its timeout is over"
    if watched.saga is not None:
        return "it was undone"
    scope, id = watched.scope_of(path), path.rpartition(".")[2]
    if scope is None:
        return "its body has ended"
    node = scope.nodes[id]
    if node.status != "failed" or node.run != run or node.handled:
        return f"it is {node.status} in run {node.run}, and handled is {node.handled}"
    for one in with_what_followed(scope, id):
        lanes = any(scope.graph.rules[edge.target].lanes for edge in scope.graph.outgoing[one])
        if scope.graph.rules[one].lanes or lanes:
            return f"{one} has an inbox, or leads to one"
    return ""


def with_what_followed(scope: WatchedScope, failed: str) -> set[str]:
    """The node; what was cancelled or skipped in the row of its failure because of it; what was skipped for want of these."""
    row, path = scope.nodes[failed].ended_row, scope.path(failed)
    stopped = {
        id
        for id, node in scope.nodes.items()
        if node.status in ("cancelled", "skipped") and node.ended_row == row and node.because == path
    }
    found = {failed} | stopped
    line = list(found)
    while line:
        for edge in scope.graph.outgoing[line.pop()]:
            if scope.nodes[edge.target].status == "skipped" and edge.target not in found:
                found.add(edge.target)
                line.append(edge.target)
    return found
