"""How an instance begins: its definition is in the store, its number is reserved, and its first turn becomes durable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.engine.checkpoints import policy_of
from mainspring.engine.live import Live
from mainspring.engine.program import Program
from mainspring.engine.subflows import Subflows
from mainspring.journal.records import DefinitionRecord, InstanceRecord
from mainspring.machine.inputs import StartInstance
from mainspring.machine.instance import Instance

if TYPE_CHECKING:
    from mainspring.engine.host import Host


class Origin(Struct, frozen=True):
    """Where a child comes from: its parent, the node there, how deep it is, and whether it is waited for."""

    parent: str | None = None
    path: str | None = None
    run: int = 0
    depth: int = 0
    detached: bool = False


NOBODY = Origin()


class Starting:
    """Begins instances for whoever asks: the engine's face, and the outbox."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._defined: dict[str, asyncio.Task[None]] = {}
        self.subflows = Subflows(host.store, host.programs)

    async def begin(
        self, program: Program, id: str, raw: bytes, values: bytes, key: str | None, origin: Origin = NOBODY
    ) -> None:
        """Have an instance started; it is durable when this returns. Raises DefinitionError where a child is not known."""
        host = self._host
        children, pins = await self.subflows.children_of(program)
        await self.define((program, *children))
        number = await host.next_number()
        workflow = program.plan.workflow.id
        record = InstanceRecord(
            number=number,
            id=id,
            workflow=workflow,
            version=program.version,
            status="pending",
            created_at=0,
            key=key,
            parent=origin.parent,
        )
        live = Live(number, record, program, Instance(program.plan, id), 0)
        live.instance.plans = host.programs.plans
        live.ahead = policy_of(live)
        if host.loss is not None:
            raise host.loss
        host.admit(live)
        started = live.started = asyncio.get_running_loop().create_future()
        request = StartInstance(
            workflow=workflow,
            version=program.version,
            input=raw,
            variables=values,
            key=key,
            children=pins,
            parent=origin.parent,
            parent_path=origin.path,
            parent_run=origin.run,
            depth=origin.depth,
            detached=origin.detached,
            seed=host.clock.seed(),
        )
        host.loop.post(live, request)
        host.recovery.begin()
        await started

    async def define(self, programs: Iterable[Program]) -> None:
        """These definitions are in the store when this returns."""
        for one in programs:
            await self._define(one)

    async def _define(self, program: Program) -> None:
        """The definition is in the store before the first instance that is pinned to it, or whose subflows start it."""
        task = self._defined.get(program.version)
        if task is None or (task.done() and task.exception() is not None):
            record = DefinitionRecord(
                program.version, program.plan.workflow.id, program.body, program.folder, self._host.clock.now()
            )
            task = asyncio.get_running_loop().create_task(self._host.store.define(record))
            self._defined[program.version] = task
            self.subflows.changed()
        if not task.done():
            await asyncio.shield(task)
