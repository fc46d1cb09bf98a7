"""What people do about dead letters: have some put back to work, some twice at once, lose some, and leave the others."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec

from mainspring.journal.messages import Message, RetryNode
from mainspring.journal.records import InboxMessage
from mainspring.testing.simulation.checks_letters import Seen
from mainspring.testing.simulation.orders import HANDS
from mainspring.testing.simulation.pauses import pause

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

ASKED_AGAIN_SECONDS = 2.0
"""Whoever got no answer asks again after this time."""

LETTERS_MAX = 6
"""About so many letters of a run somebody does something: one that is put back to work may come again."""


_decode = msgspec.json.Decoder(Message).decode


class Wishes:
    """What people want done about letters in one run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = Random(f"{world.seed}/letters by hand")
        self.pausing = Random(f"{world.seed}/letters of what is paused")
        self._open: dict[str, Wish] = {}
        self._acknowledged: dict[str, Seen] = {}
        self._made = 0

    def about(self, letter: Seen) -> None:
        """There is a letter."""
        draw = self.random.random
        if self._made >= LETTERS_MAX or draw() < 0.2:
            return
        self._made += 1
        wish = self._open[letter.id] = Wish(self, letter, purges=draw() < 0.2)
        self.world.later(0.01 + draw() * self.random.choice((0.1, 1.5, 6.0)), wish.ask)

    def posted(self, message: InboxMessage) -> None:
        """A message is in the store: perhaps one that asks for a node to run again."""
        wanted = _decode(message.body)
        if isinstance(wanted, RetryNode) and not wanted.by.startswith(HANDS):
            id = self.world.audit.instances[message.instance].id
            letter = Seen(f"{id}/{wanted.path}/{wanted.run}", id, wanted.path, wanted.run)
            self.world.audit.letters.orders[message.id] = letter

    def over(self, wish: Wish, acknowledged: bool) -> None:
        """Somebody got an answer."""
        self._open.pop(wish.letter.id, None)
        if acknowledged and not wish.purges:
            self._acknowledged[wish.letter.id] = wish.letter

    def left(self) -> list[str]:
        """What still waits: somebody for an answer, a letter for the effect that was acknowledged."""
        audit = self.world.audit
        taken = {one.id for message, one in audit.letters.orders.items() if audit.is_consumed(message)}
        for id in [id for id in self._acknowledged if id in taken or id not in audit.letters.kept]:
            del self._acknowledged[id]
        opened = [audit.instances[number].id for number in audit.letters.reopened if not audit.instances[number].open]
        lost = [f"{id} was put back to work, and nobody took it" for id in self._acknowledged]
        waiting = [f"who asked about {id} has no answer" for id in self._open]
        return lost + waiting + [f"{id} was opened, and is at its end" for id in opened]


class Wish:
    """Somebody wants a letter put back to work, or lost (`purges`)."""

    def __init__(self, wishes: Wishes, letter: Seen, purges: bool) -> None:
        self._wishes = wishes
        self._world = wishes.world
        self.letter = letter
        self.purges = purges

    def ask(self) -> None:
        """Ask whoever serves, and again where no answer comes."""
        world = self._world
        if world.closing or world.failure is not None or self not in self._wishes._open.values():
            return
        process = world.serving()
        if process is not None:
            world.tell(f"{process.name}: {self.letter.id} is to be {'purged' if self.purges else 'put back to work'}")
            if self.purges:
                world.points.hit("a letter is purged")
                world.audit.letters.unwanted.add(self.letter.id)
                process.do(process.purge(self), "client purge")
            else:
                target = world.audit.by_id.get(self.letter.instance)
                if target is not None and target.status == "running" and self._wishes.pausing.random() < 0.5:
                    pause(world, target)  # to mend it in peace
                process.do(process.requeue(self), "client requeue")
                if self._wishes.random.random() < 0.5:
                    world.points.hit("a letter is requeued twice at once")
                    process.do(process.requeue(self), "client requeue")
        world.later(ASKED_AGAIN_SECONDS if process is not None else 0.3, self.ask)

    def done(self) -> None:
        """It was acknowledged."""
        self._wishes.over(self, True)

    def refused(self, process: Process, reason: str, certain: bool) -> None:
        """It was refused: for a cause, where nothing has happened to the instance meanwhile (`certain`)."""
        world = self._world
        world.tell(f"{process.name}: {self.letter.id} is refused: {reason}")
        world.points.hit("a requeued letter is refused")
        audit = world.audit
        if certain and self.letter.id in audit.letters.kept and not process.gone:
            audit.letters.must_refuse(audit.by_id[self.letter.instance], self.letter, False)
        if "is parked" in reason and not world.healing:
            return  # somebody will have it go on: asked again
        self._wishes.over(self, False)
