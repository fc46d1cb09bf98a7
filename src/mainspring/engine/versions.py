"""Instances under way go over to another version of their definition: what would stand in the way, and the order itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.interventions import Preview
from mainspring.engine.subflows import parts
from mainspring.errors import UnknownInstance
from mainspring.journal import messages
from mainspring.machine.commands.migrating import why_not_at_all
from mainspring.machine.compatibility import Difference, differences
from mainspring.machine.events import Pin

if TYPE_CHECKING:
    from mainspring.engine.host import Host
    from mainspring.engine.program import Program


class Compatibility(Struct, frozen=True):
    """How an instance stands to another version. `differences` are those between its own version and that one, each with
    what stands in the way of it (`obstacle`, "" for most); `refusal` is why it cannot go over whatever they are ("": it can).
    """

    id: str
    version: str
    to: str
    differences: tuple[Difference, ...]
    refusal: str = ""

    @property
    def compatible(self) -> bool:
        """Whether the instance can go on by that version."""
        return not self.refusal and not any(one.obstacle for one in self.differences)


class Versions:
    """What the engine's face does about versions."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def program(self, definition: Definition | Workflow) -> Program:
        """The program of a definition. Raises DefinitionError where it cannot run."""
        workflow, folder = parts(definition)
        program = self._host.programs.of(workflow, folder, checked=isinstance(definition, Definition))
        program.refuse_unsupported()
        return program

    async def compare(self, id: str, definition: Definition | Workflow) -> Compatibility:
        """What differs, and what stands in the way. Nothing is changed. Raises UnknownInstance, DefinitionError."""
        program = self.program(definition)
        loaded = await self._host.store.load(id)
        if loaded is None:
            raise UnknownInstance(f"there is no instance {id!r} in {self._host.store.url}")
        _, instance, _ = await self._host.rebuilt(loaded)
        found = tuple(differences(instance, program.plan))
        version = instance.plan.version
        return Compatibility(id, version, program.version, found, why_not_at_all(instance, program.version))

    async def known(self, definition: Definition | Workflow, *, keep: bool) -> tuple[str, tuple[Pin, ...]]:
        """The version of a definition, and what its subflows start by it; with `keep` all of them are in the store then.

        Raises DefinitionError where a child is not known.
        """
        program = self.program(definition)
        children, pins = await self._host.starting.subflows.children_of(program)
        if keep:
            await self._host.starting.define((program, *children))
        return program.version, pins

    async def migrate(
        self, id: str, definition: Definition | Workflow, *, by: str, reason: str, dry_run: bool
    ) -> Preview:
        """See `Engine.migrate`."""
        version, pins = await self.known(definition, keep=not dry_run)
        order = messages.Migrate(version, pins, by, reason)
        interventions = self._host.interventions
        return await (interventions.preview if dry_run else interventions.order)(id, order)
