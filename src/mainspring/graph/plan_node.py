"""The parts of a plan: nodes and connections, with all that is asked of them at run time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import msgspec

from mainspring.definition.model import Cache, Node, Retry, Workflow
from mainspring.definition.vocabulary import node_types
from mainspring.expression import Expression, Template, compile_template
from mainspring.graph.joining import InboxPlan
from mainspring.graph.plan_blocks import block
from mainspring.graph.plan_kinds import told
from mainspring.graph.plan_policies import Named, Policies
from mainspring.graph.plan_undo import Undo
from mainspring.graph.schemas import Check, check_of

if TYPE_CHECKING:
    from mainspring.graph.plan import Graph

SHORT_NODE_TIMEOUT_MS = 10_000

BLOCK_TYPES = frozenset({"forEach", "while", "until", "parallel", "race", "mutex", "subflow"})
"""Kinds of node that have bodies."""

MACHINE_TYPES = BLOCK_TYPES | frozenset(
    {"trigger", "log", "delay", "if", "switch", "decision", "transform", "terminate", "cancel", "milestone", "wait"}
)
"""Kinds of node that do nothing in the world: the machine itself does what they are for."""


class PlanConnection:
    """An edge. `source` and `target` are node numbers."""

    __slots__ = (
        "condition",
        "id",
        "index",
        "on_complete",
        "on_fail",
        "only",
        "port",
        "source",
        "target",
        "target_port",
    )

    def __init__(self, index: int, source: int, target: int) -> None:
        self.index = index
        self.only = [index]
        self.source = source
        self.target = target
        self.id: str | None = None
        self.condition: Expression | None = None
        self.on_complete = True
        self.on_fail = False
        self.port: str | None = None
        self.target_port: str | None = None


class Route:
    """The connections that may fire on one way out of a node.

    `asked` has each with its compiled condition, `all` their numbers, for when all of them fire. `fired` is not None where
    no condition has to be asked; `only` is the condition where there is a single connection. `reads_output_only` says
    that the conditions look at nothing but `output`, and `decode` reads no more of it than they look at.
    """

    __slots__ = ("all", "asked", "decode", "fired", "only", "reads_output_only")

    def __init__(self, edges: list[PlanConnection]) -> None:
        self.asked = tuple((edge, None if edge.condition is None else edge.condition.run) for edge in edges)
        self.all = tuple(edge.index for edge in edges)
        conditions = [edge.condition for edge in edges if edge.condition is not None]
        self.fired = None if conditions else self.all
        self.only = conditions[0].run if len(edges) == 1 and conditions else None
        self.reads_output_only = all(condition.roots <= {"output"} for condition in conditions)
        self.decode = _reader(_looked_at(conditions))


@lru_cache(maxsize=1024)
def _reader(names: frozenset[str] | None) -> Callable[[bytes], Any]:
    """A decoder for objects that leaves out all but these fields: a large output costs no more than a small one.

    It raises msgspec.ValidationError where the output is no object.
    """
    if names is None:
        return msgspec.json.Decoder().decode
    return msgspec.json.Decoder(TypedDict("Read", dict.fromkeys(names, Any), total=False)).decode  # type: ignore[operator]


def _looked_at(conditions: list[Expression]) -> frozenset[str] | None:
    """The fields of the output that conditions look at, None where it may be all of it."""
    fields = [condition.fields.get("output", frozenset()) for condition in conditions]
    known = [names for names in fields if names is not None]
    return frozenset().union(*known) if len(known) == len(fields) else None


class Fallback(NamedTuple):
    """What stands in for a node: a graph of one node, and the rule that says so."""

    graph: Graph
    node: PlanNode
    rule: str


class PlanNode:
    """A node, with all that is asked of it at run time.

    `path` is its address where it has only one: a node of the workflow's own graph. In a body it is "", and the scope
    knows (`Turn.path`). `place` says where it stands in the definition: `loop[].charge`, `parallel[1].charge`.

    `plain_fired` is not None where routing needs no decision: all outgoing connections fire on any completion by the
    primary output. Else `routes` has the connections of each port, and `on_failure` those of a failure. `template`
    computes the input where the definition maps it (`constant_input` has it where there is nothing to compute), from nothing
    but the instance's input where it `maps_input_only`.
    `resource` names the limit that the node must be admitted by (None: it starts at once).

    `joins_plainly`: by `all`, and it runs at most once. Else `need` is the number of messages that start it (0: not by
    number), `inbox` what it has where messages wait for their turn, and `repeating` says that it can run more than once.

    `keys` are the connections by which its input is keyed, each with its key as JSON, where an object by source is its input.

    `cache`: its results may be used again, by `cache_key` or else by the whole input. `input_check` and `output_check` are
    its schemas. `reads_input`: there is something to look at before an attempt begins. `told` is what a node that decides
    has in its config (`plan_kinds`), and what a block has (`plan_blocks`), whose graphs are `bodies`. `custom`: it is of a
    kind that mainspring does not have itself; `config` computes what that kind is told (`constant_config` has it where there
    is nothing to compute; both are empty for all other nodes). `undo` is what undoes its work (None: it is not compensable).

    `definition` is the node with what the named policy adds that matches it, `named` (`plan_policies`).

    `fallbacks` stand in for it once it has failed for good. `nests`: it has bodies, or fallbacks, which run as bodies do.
    """

    __slots__ = (
        "bodies",
        "cache",
        "cache_key",
        "cancels_others",
        "config",
        "constant_config",
        "constant_input",
        "custom",
        "definition",
        "duration",
        "fallbacks",
        "id",
        "in_degree",
        "inbox",
        "incoming",
        "index",
        "input_check",
        "joins_plainly",
        "keyed_by_port",
        "keyed_input",
        "keys",
        "machine_kind",
        "maps_input_only",
        "max_attempts",
        "named",
        "need",
        "nests",
        "off_graph",
        "on_failure",
        "outgoing",
        "output_check",
        "path",
        "place",
        "plain_fired",
        "ports",
        "reads_input",
        "repeating",
        "resource",
        "retry",
        "routes",
        "template",
        "timeout",
        "told",
        "undo",
    )

    def __init__(self, index: int, definition: Node, named: Named | None = None) -> None:
        self.index = index
        self.id = definition.id
        self.path = ""
        self.place = definition.id
        self.definition = definition
        self.named = named
        self.incoming: list[PlanConnection] = []
        self.outgoing: list[PlanConnection] = []
        self.in_degree = 0
        self.keyed_input = False
        self.keys: tuple[tuple[int, bytes], ...] = ()
        self.keyed_by_port = False
        self.joins_plainly = True
        self.need = 0
        self.inbox: InboxPlan | None = None
        self.repeating = False
        self.cancels_others = False
        self.off_graph = False
        self.machine_kind = definition.type if definition.type in MACHINE_TYPES else ""
        self.plain_fired: tuple[int, ...] | None = ()
        self.routes: dict[str | None, Route] = {}
        self.on_failure: Route | None = None
        self.ports: frozenset[str] = frozenset()
        self.retry: Retry | None = definition.retry
        self.max_attempts = 1
        self.timeout = definition.timeout
        self.template: Template | None = None
        self.maps_input_only = False
        self.constant_input: bytes | None = None
        self.duration: Template | None = None
        self.told: Any = None
        self.bodies: tuple[Graph, ...] = ()
        self.fallbacks: tuple[Fallback, ...] = ()
        self.nests = False
        self.custom = definition.type not in node_types
        self.config: Template | None = None
        self.constant_config = b""
        self.resource: str | None = None
        self.undo: Undo | None = None
        self.cache: Cache | None = None if self.machine_kind else definition.cache
        self.cache_key: Template | None = None
        self.input_check: Check | None = check_of(definition.input_schema, "input")
        self.output_check: Check | None = check_of(definition.output_schema, "output")
        self.reads_input = self.cache is not None or self.input_check is not None


def finish(node: PlanNode, policies: Policies) -> None:
    """What follows from the node's definition and its connections, once these are all there."""
    definition = node.definition
    node.in_degree = len(node.incoming)
    if all(_always(connection) for connection in node.outgoing):
        node.plain_fired = tuple(connection.index for connection in node.outgoing)
    else:
        node.plain_fired = None
        by_port: dict[str | None, list[PlanConnection]] = {}
        for connection in node.outgoing:
            if connection.on_complete:
                by_port.setdefault(connection.port, []).append(connection)
        node.routes = {port: Route(edges) for port, edges in by_port.items()}
    on_failure = [connection for connection in node.outgoing if connection.on_fail and connection.port is None]
    node.on_failure = Route(on_failure) if on_failure else None
    node.ports = frozenset(connection.port for connection in node.outgoing if connection.port is not None)
    node.retry = definition.retry or policies.retry
    if node.retry is not None and node.retry.strategy != "none":
        node.max_attempts = node.retry.max_attempts
    if node.timeout is None and policies.workflow.defaults == "short" and not node.machine_kind:
        node.timeout = SHORT_NODE_TIMEOUT_MS
    if definition.input is not None:
        template = compile_template(definition.input)
        if template.constant:
            node.constant_input = msgspec.json.encode(template(None))
        else:
            node.template = template
            node.maps_input_only = template.roots <= {"input"}
    if definition.type == "delay":
        node.duration = compile_template(definition.config.get("duration", 0))
    node.told = told(definition) if definition.type not in BLOCK_TYPES else block(definition)
    if node.custom:
        config = compile_template(definition.config)
        if config.constant:
            node.constant_config = msgspec.json.encode(config(None))
        else:
            node.config = config
    node.resource = _resource(definition, policies.workflow) if not node.machine_kind else None
    if node.cache is not None and node.cache.key is not None:
        node.cache_key = compile_template(node.cache.key)


def _always(connection: PlanConnection) -> bool:
    return connection.on_complete and connection.port is None and connection.condition is None


def _resource(definition: Node, workflow: Workflow) -> str | None:
    limits: tuple[Any, ...] = (
        workflow.max_concurrency,
        definition.max_concurrent_executions,
        definition.rate_limit,
        definition.resources,
        definition.circuit_breaker,
        definition.pool,
        definition.adaptive or None,
    )
    return f"node:{definition.id}" if any(limit is not None for limit in limits) else None
