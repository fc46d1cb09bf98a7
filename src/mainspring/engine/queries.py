"""What can be asked of a running engine at any time. Nothing here waits for anything that runs, and nothing is changed.

What is in memory is told from memory, else the journal is folded. Of an instance that is not in the store they say None.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mainspring.engine.host import Host
from mainspring.engine.progress import Durations, Progress, durations_of, progress_of
from mainspring.engine.result import InstanceResult, NodeResult
from mainspring.errors import UnknownInstance
from mainspring.graph.plan import Plan
from mainspring.journal.looking_back import At

EARLIER_LOOKED_AT_MAX = 20
"""Among so many of the workflow's last completed instances one of the same version is looked for."""

KEPT_MAX = 200
"""Of so many versions the durations of an earlier instance are kept."""


class Depths(NamedTuple):
    """How much waits in the engine's own queues: turns to be committed or inputs to be taken by instances in memory, tasks
    that run, instances in memory, and who waits for which limit (by its name; those for which somebody waits)."""

    uncommitted: int
    tasks: int
    instances: int
    limits: dict[str, int]


class Queries:
    """The questions. `Engine` has them, and what they need of it."""

    _earlier: dict[str, Durations | None]

    @property
    def host(self) -> Host:
        """What is behind the face."""
        raise NotImplementedError

    def peek(self, id: str) -> InstanceResult | None:
        """An instance as it stands in memory."""
        raise NotImplementedError

    async def inspect(self, id: str, *, until: At | None = None) -> InstanceResult:
        """An instance as it durably stands."""
        raise NotImplementedError

    async def look(self, id: str) -> InstanceResult | None:
        """An instance as it stands: in memory, or else in the store."""
        found = self.peek(id)
        if found is None:
            try:
                found = await self.inspect(id)
            except UnknownInstance:
                return None
        return found

    async def status(self, id: str) -> str | None:
        """Its status."""
        found = await self.look(id)
        return None if found is None else found.status

    async def node(self, id: str, path: str) -> NodeResult | None:
        """One of its nodes, by its path (`charge`, `loop[3].charge` while that body is open). None where there is none."""
        found = await self.look(id)
        if found is None:
            return None
        try:
            return found.nodes[path]
        except KeyError:
            return None

    async def progress(self, id: str) -> Progress | None:
        """How far it is: percent, nodes by status, time left (see `engine/progress.py` for how it is estimated)."""
        found = await self.look(id)
        if found is None:
            return None
        instance = found.instance
        live = self.host.by_id.get(id)
        reported = {} if live is None else self.host.progress.get(live.number, {})
        earlier = None if found.done or durations_of(instance) is not None else await self._earlier_of(instance.plan)
        return progress_of(instance, reported, self.host.clock.now(), earlier)

    async def execution_graph(self, id: str) -> dict[str, Any] | None:
        """Its workflow's graph as data (as `mainspring graph --json`), each node with how it stands."""
        found = await self.look(id)
        if found is None:
            return None
        from mainspring.graph.analysis import WorkflowGraph
        from mainspring.graph.export.json_form import as_data

        data = as_data(WorkflowGraph(found.instance.plan.workflow))
        for told in data["nodes"]:
            node = found.nodes[told["id"]]
            told.update(status=node.status, attempts=node.attempts, startedAt=node.started_at, endedAt=node.ended_at)
        return {"id": found.id, "status": found.status, **data}

    def depths(self) -> Depths:
        """How much waits in the queues of this engine."""
        host = self.host
        return Depths(
            uncommitted=sum(live.uncommitted for live in host.lives.values()),
            tasks=sum(len(live.tasks) for live in host.lives.values()),
            instances=len(host.lives),
            limits={one.key: one.queued for one in host.limits.standings() if one.queued},
        )

    async def _earlier_of(self, plan: Plan) -> Durations | None:
        """How long the nodes of the last completed instance of this version took. It is looked for once."""
        if plan.version not in self._earlier:
            store, found = self.host.store, None
            records = await store.instances(status="completed", workflow=plan.workflow.id, limit=EARLIER_LOOKED_AT_MAX)
            for record in records:
                if record.version == plan.version:
                    found = durations_of((await self.inspect(record.id)).instance)
                    break
            if found is None:
                return None  # there may be one later
            if len(self._earlier) >= KEPT_MAX:
                self._earlier.clear()
            self._earlier[plan.version] = found
        return self._earlier[plan.version]
