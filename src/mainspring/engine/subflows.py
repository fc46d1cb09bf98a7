"""The workflows that subflows start, by what a definition calls them: `id`, or `id@version`."""

from __future__ import annotations

from mainspring.definition import canonical
from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.program import Program, Programs
from mainspring.errors import DefinitionError
from mainspring.graph.family import in_folder, is_named, missing_children
from mainspring.graph.plan_undo import has_undo
from mainspring.graph.plan_waits import children_named
from mainspring.journal.store import Store
from mainspring.machine.events import Pin

DEFINITIONS_MAX = 1_000
"""How many versions of one workflow are looked through for the one with a label."""


class Subflows:
    """What was registered comes first; then what the store knows, the newest; then the files beside the parent's."""

    def __init__(self, store: Store, programs: Programs) -> None:
        self._store = store
        self._programs = programs
        self._registered: dict[str, list[Program]] = {}
        self._known: dict[str, tuple[list[Program], tuple[Pin, ...]]] = {}

    def register(self, definition: Definition | Workflow) -> Program:
        """Have subflows find this one by its id: the last that was registered, or the one with the version they tell."""
        workflow, folder = parts(definition)
        program = self._programs.of(workflow, folder, checked=isinstance(definition, Definition))
        program.refuse_unsupported()
        self._registered.setdefault(program.plan.workflow.id, []).insert(0, program)
        self.changed()
        return program

    def changed(self) -> None:
        """A definition is new here or in the store: what was found before may not be the newest."""
        self._known.clear()

    async def children_of(self, program: Program) -> tuple[list[Program], tuple[Pin, ...]]:
        """What the subflows of a program start. Raises DefinitionError where one of them is not known, or cannot run."""
        known = self._known.get(program.version)
        if known is None:
            found = {name: await self._find(name, program) for name in children_named(program.plan.workflow.nodes)}
            there = {name: one for name, one in found.items() if one is not None}
            if len(there) < len(found):
                raise DefinitionError(missing_children(program.plan.workflow, set(there)))
            pins = tuple([Pin(name, one.version, await self._undoes(one, set())) for name, one in there.items()])
            known = self._known[program.version] = (list(there.values()), pins)
        return known

    async def _undoes(self, program: Program, seen: set[str]) -> bool:
        """Whether it has something that can be undone, or a child that has."""
        if has_undo(program.plan):
            return True
        seen.add(program.version)
        for name in children_named(program.plan.workflow.nodes):
            child = await self._find(name, program)
            if child is not None and child.version not in seen and await self._undoes(child, seen):
                return True
        return False

    async def _find(self, name: str, parent: Program) -> Program | None:
        id = name.partition("@")[0]
        for program in self._registered.get(id, ()):
            if is_named(program.plan.workflow, name):
                return program
        if is_named(parent.plan.workflow, name):
            return parent
        for record in await self._store.definitions(id, 1 if id == name else DEFINITIONS_MAX):
            if id == name or is_named(canonical.decode(record.body), name):
                return self._programs.restored(record)
        found = in_folder(name, parent.folder)
        if found is None:
            return None
        program = self._programs.of(found.workflow, found.folder, checked=True)
        program.refuse_unsupported()
        return program


def parts(definition: Definition | Workflow) -> tuple[Workflow, str]:
    """The workflow, and the folder that it came from."""
    if isinstance(definition, Definition):
        return definition.workflow, definition.folder
    return definition, ""
