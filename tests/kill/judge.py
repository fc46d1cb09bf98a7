"""What must hold of killed processes, judged by the side file and the journal, each read on as both grow.

- An attempt runs once, and not before its start is durable. A node that is durably completed never runs again.
- What was acknowledged (a start, a signal, an end) is there. Each instance comes to the end that its number gives.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mainspring.journal.store import Store
from tests.kill.ledger import Ledger, waits
from tests.kill.side import News, Place, Side
from tests.kill.work import Load

SHOWN = 5


@dataclass
class Judge:
    """One store's, through all the lives of its processes."""

    path: Path
    load: Load
    violations: list[str] = field(default_factory=list)
    executions: Counter[Place] = field(default_factory=Counter)
    attempts: set[tuple[str, str, int, int]] = field(default_factory=set)
    known: News = field(default_factory=News)
    """All that was acknowledged."""
    ledger: Ledger = field(default_factory=Ledger)
    forgiven: set[tuple[str, str, int, int]] = field(default_factory=set)
    """Attempts that were started by an engine which was stopped then: they may begin later than another's ends."""
    _unproven: list[tuple[str, str, int, int]] = field(default_factory=list)
    """What ran since the journal was read, which has to say that it was started."""

    def __post_init__(self) -> None:
        self.side = Side(self.path)

    def blame(self, what: str, of: list[object]) -> None:
        """Where there are any: a violation."""
        if of:
            self.violations.append(f"{what} ({len(of)}): {of[:SHOWN]}")

    def left(self, width: int) -> float:
        """The share of the work in which kills are still to fall: at its end too little is under way for one to count."""
        instances = len(self.load.ids)
        done = len(self.ledger.completed) / (self.load.nodes * instances)
        return max(0.95 - width / (2 * instances) - done, 0.0)

    def hear(self) -> int:
        """Take what was told since. All of it came after what the ledger knows. Gives how many nodes have run again."""
        news = self.side.news()
        again = [one for one in news.ran if one[:2] in self.ledger.completed and one not in self.forgiven]
        self.blame("completed, and ran again", again)
        return self._absorb(news)

    async def look(self, store: Store) -> int:
        """Read on, here and there. Gives how many nodes have run again since the last look."""
        repeats = self.hear()
        told, self._unproven = self._unproven, []
        acknowledged = set(self.known.started)
        await self.ledger.read(store)
        repeats += self._absorb(self.side.news())  # of this nobody knows whether it came before what was read just now
        self.blame("ran before its start was durable", [one for one in told if one not in self.ledger.started])
        self.blame("acknowledged starts are lost", sorted(acknowledged - self.ledger.begun))
        self.blame("twice in the journal", list(self.ledger.twice))
        self.ledger.twice.clear()
        return repeats

    def _absorb(self, news: News) -> int:
        self._unproven += news.ran
        repeats = 0
        for one in news.ran:
            if one in self.attempts:
                self.blame("one attempt ran twice", [one])
            self.attempts.add(one)
            repeats += self.executions[one[:2]] > 0
            self.executions[one[:2]] += 1
        known = self.known
        known.started |= news.started
        known.signalled |= news.signalled
        known.ended |= news.ended
        known.sessions |= news.sessions
        known.points += news.points
        return repeats

    async def end(self, store: Store) -> int:
        """After the last life: nothing lost, nothing stuck, all outputs as they must be. Gives what `look` gives."""
        repeats = await self.look(store)
        ledger, load = self.ledger, self.load
        self.blame("lost", [id for id in load.ids if id not in ledger.begun])
        self.blame("stuck", [id for id in ledger.begun if id not in ledger.ended])
        bad: list[object] = []
        untaken: list[object] = []
        for number, id in enumerate(load.ids):
            status, output = ledger.ended.get(id, ("", None))
            if status != "completed" or msgspec.json.decode(output) != load.expected(number):
                bad.append((id, status))
            untaken += [(id, name) for name in load.signals(number) if ledger.taken[(id, name)] != 1]
        self.blame("not as without kills", bad)
        self.blame("signals not taken once", untaken)
        acknowledged = self.known.ended.items()
        lost = [id for id, end in acknowledged if ledger.ended.get(id, ("",))[0] != end]
        self.blame("acknowledged ends are lost", list(lost))
        ran = {place for place in ledger.completed if not waits(place[1])}
        self.blame("completed without having run", [place for place in ran if not self.executions[place]])
        await self._records(store)
        return repeats

    async def _records(self, store: Store) -> None:
        """The records, which are what is asked for lists, say the same as the journal."""
        said = {}
        page = await store.instances(limit=1_000)
        while page:
            said.update({record.id: (record.status, record.open) for record in page})
            page = await store.instances(limit=1_000, before=page[-1].number)
        wanted = {id: (status, False) for id, (status, _) in self.ledger.ended.items()}
        self.blame("records that differ from the journal", sorted(said.items() ^ wanted.items()))

    def verdict(self, over: str) -> bool:
        """Say how it ended; whether nothing was violated."""
        crashes = dict(sorted(Counter(self.ledger.crashes.values()).items()))
        print(f"{sum(self.executions.values())} executions of {len(self.executions)} nodes; crashes: nodes {crashes}")
        condemned = self.ledger.condemned
        if condemned:
            print(f"{len(condemned)} innocent nodes were condemned by the crash limit, requeued, and completed")
        for violation in self.violations:
            print(f"VIOLATION: {violation}")
        print("verdict: " + ("violated" if self.violations else f"kept, over {over}"))
        return not self.violations
