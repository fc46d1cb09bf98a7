"""What people do to single nodes and to variables by hand: skip, complete, retry, rerun, set (SEMANTICS 93 to 98).

Each order has a name of its own (`by`), so that it is found again in the journal. Some go through an engine, which answers;
some lie in the inbox as if another tool had put them there. Some are for a run that is over, or for a node that has ended.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw

from mainspring.errors import CommandRefused, MainspringError
from mainspring.journal import messages
from mainspring.journal.records import InboxMessage
from mainspring.testing.simulation.checks_letters import OPEN, REOPENED_FROM
from mainspring.testing.simulation.orders import HANDS, WHATS, Asked, can_be_meant
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope
from mainspring.testing.virtual import BEGINNING, at_once

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

SHARE = 0.3
"""In so many of the seeds somebody does something by hand."""

TIMES = (1, 2, 3, 6)
LATER = 1.2
"""Up to so many times the time of the faults: there are instances at their end then, and the last ones are undisturbed."""

TRIED_AGAIN_SECONDS = 0.3
TRIES_MAX = 8

Place = tuple[Watched, WatchedScope, str, WatchedNode]


class Hands:
    """What people want by hand in one run. `asked` are the orders under way at an engine, by name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = Random(f"{world.seed}/hands")
        self.asked: dict[str, Process] = {}
        self._to_come = 0
        self._made = 0

    def plan(self) -> None:
        """Draw when something is done."""
        draw = self.random
        if draw.random() >= SHARE:
            return
        for _ in range(draw.choice(TIMES)):
            self._to_come += 1
            self.world.scheduler.at(draw.random() * LATER * self.world.faults_until, lambda: self._act(TRIES_MAX))

    def left(self) -> list[str]:
        """What is still to come, or has no answer, or was acknowledged and not taken."""
        gone = [by for by, process in self.asked.items() if process.gone]
        for by in gone:
            del self.asked[by]
        some = [f"{self._to_come} orders by hand are to come"] if self._to_come else []
        waiting = [f"who ordered {by} has no answer" for by in self.asked]
        return some + waiting + self.world.audit.hands.lost()

    def _act(self, tries: int) -> None:
        world, draw = self.world, self.random
        if world.closing or world.failure is not None:
            self._to_come = 0
            return
        process = world.serving()
        asked = None if process is None else self._draw()
        if process is None or asked is None:
            if tries:
                world.later(TRIED_AGAIN_SECONDS, lambda: self._act(tries - 1))
            else:
                self._to_come -= 1
            return
        self._to_come -= 1
        target = world.audit.by_id[asked.instance]
        world.tell(f"{process.name}: by hand: {asked}")
        if target.status in OPEN and draw.random() < 0.3:
            world.points.hit("by hand by inbox")
            world.messages += 1
            message = InboxMessage(f"m{world.messages}", target.number, messages.encode(asked.message), BEGINNING)
            world.posted(message, at_once(world.tool.post(message)))
            return
        self.asked[asked.by] = process
        process.do(self._order(process, asked), "client by hand")
        if draw.random() < 0.15:
            world.points.hit("by hand twice at once")
            twin = self._named(asked.what, asked.instance, asked.message)
            self.asked[twin.by] = process
            process.do(self._order(process, twin), "client by hand")

    async def _order(self, process: Process, asked: Asked) -> None:
        """Order it of an engine, and take the answer."""
        watched = self.world.audit.by_id[asked.instance]
        before = watched.seq
        try:
            await _carry_out(process, asked)
        except CommandRefused as error:
            self.refused(asked, process, str(error), watched.seq == before)
        except MainspringError as error:
            self.unanswered(asked, process, str(error))
        else:
            self.acknowledged(asked, process)

    def acknowledged(self, asked: Asked, process: Process) -> None:
        """It is durable."""
        self._answered(asked, process, "is ordered")
        self.world.audit.hands.acknowledged(asked)

    def refused(self, asked: Asked, process: Process, reason: str, certain: bool) -> None:
        """It cannot be done, and must not; `certain`: nothing has happened to the instance meanwhile."""
        self._answered(asked, process, f"is refused: {reason}")
        watched = self.world.audit.by_id[asked.instance]
        scope = watched.scope_of(asked.path)
        if asked.path and scope is not None:
            run = scope.nodes[asked.path.rpartition(".")[2]].run
            asked = msgspec.structs.replace(asked, message=msgspec.structs.replace(asked.message, run=run))
        if certain and not process.gone:
            self.world.audit.hands.must_refuse(watched, asked, False)

    def unanswered(self, asked: Asked, process: Process, error: str) -> None:
        """Nobody knows whether it is ordered."""
        self._answered(asked, process, error)

    def _answered(self, asked: Asked, process: Process, told: str) -> None:
        self.world.tell(f"{process.name}: {asked.by} {told}")
        self.asked.pop(asked.by, None)

    # --- what is wanted -----------------------------------------------------------------------------------------------

    def _draw(self) -> Asked | None:
        """An order that fits what there is, mostly (None: there is nothing yet that this one could be for)."""
        what = self.random.choice(WHATS)
        if what == "variables":
            return self._variables()
        place = self._place(what)
        if place is None:
            return None
        watched, scope, id, node = place
        run = node.run + (self.random.random() < 0.05)
        return self._named(what, watched.id, self._message(what, scope.path(id), run, scope, id))

    def _message(self, what: str, path: str, run: int, scope: WatchedScope, id: str) -> messages.Intervention:
        draw = self.random
        if what == "skip":
            return messages.SkipNode(path, run)
        if what == "complete":
            ports = sorted({edge.port for edge in scope.graph.outgoing[id] if edge.port is not None})
            port = draw.choice([None, *ports, "nowhere"]) if draw.random() < 0.4 else None
            return messages.CompleteNode(path, run, self._value(path), port)
        given = self._value(path) if draw.random() < 0.3 else UNSET
        return (
            messages.RetryNode(path, run, input=given)
            if what == "retry"
            else messages.RerunFrom(path, run, input=given)
        )

    def _value(self, path: str) -> Raw:
        return Raw(msgspec.json.encode({"v": self.random.randrange(100), "n": path, "a": "by hand"}))

    def _variables(self) -> Asked | None:
        open_ = [one for one in self.world.audit.instances.values() if one.open]
        if not open_:
            return None
        draw = self.random
        values: dict[str, Any] = {
            "last": draw.choice((None, "by hand", 7)),
            f"hand{draw.randrange(2)}": draw.randrange(9),
        }
        order = messages.SetVariables(Raw(msgspec.json.encode(values)))
        return self._named("variables", draw.choice(open_).id, order)

    def _place(self, what: str) -> Place | None:
        """A node for it: one that it can be done to, mostly."""
        found: dict[str, list[Place]] = {}
        for watched in self.world.audit.instances.values():
            if watched.status not in OPEN and watched.status not in REOPENED_FROM:
                continue
            for scope, id, node in watched.nodes():
                kind = can_be_meant(what, watched, scope, node)
                if kind:
                    found.setdefault(kind, []).append((watched, scope, id, node))
        if not found:
            return None
        return self.random.choice(found[self.random.choice(sorted(found))])

    def _named(self, what: str, instance: str, order: messages.Intervention) -> Asked:
        self._made += 1
        by = f"{HANDS}{self._made}"
        return Asked(what, instance, msgspec.structs.replace(order, by=by, reason="simulated"))


async def _carry_out(process: Process, asked: Asked) -> None:
    engine, order, id, path = process.engine, asked.message, asked.instance, asked.path
    if isinstance(order, messages.SkipNode):
        await engine.skip(id, path, by=order.by, reason=order.reason)
    elif isinstance(order, messages.CompleteNode):
        output = msgspec.json.decode(order.output)
        await engine.complete(id, path, output, port=order.port, by=order.by, reason=order.reason)
    elif isinstance(order, messages.SetVariables):
        await engine.set_variables(id, msgspec.json.decode(order.values), by=order.by, reason=order.reason)
    elif isinstance(order, messages.RetryNode | messages.RerunFrom):
        given = order.input if order.input is UNSET else msgspec.json.decode(order.input)
        act = engine.retry if isinstance(order, messages.RetryNode) else engine.rerun
        await act(id, path, input=given, by=order.by, reason=order.reason)
