"""A definition as this process runs it: the plan, and the code of its nodes found and prepared, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from mainspring.definition import canonical
from mainspring.definition.bounds import missing_listed_max
from mainspring.definition.model import Workflow
from mainspring.errors import DefinitionError, HandlerNotFound
from mainspring.graph.check import check_workflow
from mainspring.graph.plan import Plan, PlanNode
from mainspring.graph.support import unsupported
from mainspring.journal.records import DefinitionRecord
from mainspring.machine.instance import PlanNeeded
from mainspring.messaging.task import PreparedTask, TaskKind


class Program:
    """`folder` is where the definition's file lies; `body` is its canonical form, whose hash is the version."""

    __slots__ = ("_kinds", "_prepared", "_scopes", "_shared", "_supported", "body", "folder", "plan", "version")

    def __init__(self, workflow: Workflow, body: bytes, folder: str, kinds: Mapping[str, TaskKind]) -> None:
        self.body = body
        self.folder = folder
        self.version = canonical.content_hash(body)
        self.plan = Plan(workflow, self.version)
        self._kinds = kinds
        self._prepared: dict[PlanNode, PreparedTask] = {}
        self._shared: dict[bytes, PreparedTask] = {}
        self._scopes: dict[PlanNode, bytes] = {}
        self._supported = False

    def refuse_unsupported(self) -> None:
        """Raise DefinitionError for what this version cannot run. It is looked for once."""
        if not self._supported:
            refuse_unsupported(self.plan.workflow)
            self._supported = True

    def prepared(self, node: PlanNode) -> PreparedTask:
        """The node's code. Raises HandlerNotFound; asked again later, it looks again."""
        found = self._prepared.get(node)
        if found is None:
            kind = self._kinds.get(node.definition.type)
            if kind is None:
                raise HandlerNotFound(f"no code for nodes of type {node.definition.type!r} in this process")
            found = self._prepared[node] = self._prepare(kind, node)
        return found

    def _prepare(self, kind: TaskKind, node: PlanNode) -> PreparedTask:
        """Nodes that say the same share what was prepared: a thousand nodes of one function read its signature once."""
        definition = node.definition
        try:
            key = f"{definition.type} ".encode() + msgspec.json.encode(definition.config)
        except TypeError:  # a callable in the configuration, which has no JSON
            return kind.prepare(definition, self.folder)
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = kind.prepare(definition, self.folder)
        return found

    def cache_scope(self, node: PlanNode) -> bytes:
        """All of a definition that a node's result depends on, as bytes that differ where it does (SEMANTICS 39)."""
        known = self._scopes.get(node)
        if known is None:
            made = node.definition
            what = (made.type, made.config, made.input, made.output_schema, made.cache)
            scope = (self.plan.workflow.id, node.place, self.folder, what)
            # Its own length first, so that no scope with its key is another one with another key.
            body = msgspec.json.encode(scope, order="sorted")
            known = self._scopes[node] = len(body).to_bytes(8, "big") + body
        return known

    def missing(self) -> list[tuple[str, str]]:
        """Places of nodes whose code cannot be found now, the first of them, each with what was looked for."""
        faults = []
        for node in self.plan.everywhere():
            if not node.machine_kind:
                try:
                    self.prepared(node)
                except HandlerNotFound as error:
                    faults.append((node.place, str(error)))
                    # To look for a module that is nowhere takes a millisecond, for each node that names it.
                    if len(faults) >= missing_listed_max:
                        break
        return faults


class Programs:
    """All programs of this process, by version. `pin` makes a definition one that a store can hold."""

    def __init__(self, kinds: Mapping[str, TaskKind], pin: Callable[[Workflow], Workflow]) -> None:
        self._kinds = kinds
        self._pin = pin
        self._by_version: dict[str, Program] = {}
        self._by_identity: dict[tuple[int, str], tuple[Workflow, Program]] = {}
        self.plans: Callable[[str], Plan] = self._plan  # bound once, not for each instance

    def of(self, workflow: Workflow, folder: str, *, checked: bool = False) -> Program:
        """The program of a definition given as a value. The same object a second time costs one look-up.

        Raises DefinitionError with all that is wrong with it, unless it was `checked` when it was read.
        """
        key = (id(workflow), folder)
        known = self._by_identity.get(key)
        if known is not None:
            return known[1]
        pinned = self._pin(workflow)
        if not checked:
            refuse_faulty(pinned)
        program = Program(pinned, canonical.encode(pinned), folder, self._kinds)
        program = self._by_version.setdefault(program.version, program)
        self._by_identity[key] = (workflow, program)  # holds the workflow, so that its id is not used again
        return program

    def known(self, version: str) -> Program | None:
        """The program of a version, where it is at hand."""
        return self._by_version.get(version)

    def _plan(self, version: str) -> Plan:
        """The plan of a version that is at hand. Raises PlanNeeded."""
        known = self._by_version.get(version)
        if known is None:
            raise PlanNeeded(version)
        return known.plan

    def restored(self, record: DefinitionRecord) -> Program:
        """The program of a definition from the store."""
        known = self._by_version.get(record.version)
        if known is None:
            workflow = canonical.decode(record.body)
            known = self._by_version[record.version] = Program(workflow, record.body, record.folder, self._kinds)
        return known


def refuse_unsupported(workflow: Workflow) -> None:
    """Raise DefinitionError for what the model knows and this version cannot run yet: never run it as something else."""
    findings = unsupported(workflow)
    if findings:
        raise DefinitionError(findings)


def refuse_faulty(workflow: Workflow) -> None:
    """Raise DefinitionError where a workflow that comes from no file could not run."""
    errors = [one for one in check_workflow(workflow) if one.severity == "error"]
    if errors:
        raise DefinitionError(errors)
