"""What can be wrong with a node or a connection by itself: its id, type, numbers, expressions and templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

from mainspring.definition.bodies import body_types, body_ways
from mainspring.definition.bounds import template_parts_max
from mainspring.definition.durations import parse_duration
from mainspring.definition.findings import Pointer
from mainspring.definition.kind_keys import CLOSED
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.definition.ranges import out_of_range
from mainspring.definition.vocabulary import plain, runtimes
from mainspring.errors import ExpressionError
from mainspring.expression import Expression, compile_expression, template_parts
from mainspring.graph import check_kinds, custom_kinds
from mainspring.graph.check_schemas import faults_of
from mainspring.graph.findings import Findings
from mainspring.graph.plan import MACHINE_TYPES
from mainspring.graph.sight import LOOP_WORDS, Sight

_keys_looked_at_max = 8
_nothing: frozenset[str] = frozenset()
_own_input = frozenset(("value",))
_of_the_end = frozenset(("status",))
_id = re.compile(r"[^\W]([\w:-])*")
_delay_keys = frozenset(
    "duration delay delayValue delayMs milliseconds ms seconds minutes for until at expression value".split()  # noqa: SIM905
)


class NodeChecks:
    """`subject` is the node that looks at others (None: all have run), `local` the words that mean something just there."""

    def __init__(self, sight: Sight, node_types: Collection[str], findings: Findings) -> None:
        self.sight = sight
        self.node_types = node_types
        self.findings = findings
        self.report = findings.report
        self.subject: Node | None = None
        self.done = False
        self.local: frozenset[str] = _nothing

    def workflow(self, workflow: Workflow) -> None:
        self.bounds(workflow, ())
        if workflow.retry is not None:
            self.bounds(workflow.retry, ("retry",))
        if workflow.checkpoint is not None:
            self.bounds(workflow.checkpoint, ("checkpoint",))
        if workflow.resilience is not None:
            from mainspring.graph.check_resilience import spec_out_of_range  # few workflows have rules of their own

            for at, message in spec_out_of_range(workflow.resilience, ("resilience",)):
                self.report("MS219", message, at)
        self.templates(workflow.output, ("output",))
        self.schema(workflow.input_schema, ("inputSchema",))
        self.schema(workflow.output_schema, ("outputSchema",))
        self.local = _of_the_end
        for index, invariant in enumerate(workflow.invariants):
            self.expression(invariant.expression, ("invariants", index, "expression"), "MS212")
        self.local = _nothing
        for name in workflow.check.outputs if workflow.check is not None else ():
            if name not in self.sight.index and name not in self.sight.within:
                hint = self.findings.hint(name, self.sight.index)
                self.report("MS214", f"there is no node `{name[:80]}`", ("check", "outputs", name), hint)

    def node(self, node: Node, at: Pointer) -> None:
        if self.findings.full:
            return
        self.subject = node
        if len(node.id) > 200 or _id.fullmatch(node.id) is None:
            hint = "use letters, digits, `_`, `-` and `:`"
            self.report("MS202", f"`{node.id[:80]}` cannot be a node's id", (*at, "id"), hint)
        if node.type not in self.node_types:
            self.custom(node, at)
        self.bounds(node, at)
        for name, part in (
            ("retry", node.retry),
            ("circuitBreaker", node.circuit_breaker),
            ("rateLimit", node.rate_limit),
            ("cache", node.cache),
        ):
            if part is not None:
                self.bounds(part, (*at, name))
        if node.cache is not None:
            self.templates(node.cache.key, (*at, "cache", "key"))
            if node.type in MACHINE_TYPES or node.type in CLOSED:
                self.report("MS244", f"a {node.type} node has no work whose result could be kept", (*at, "cache"))
        if node.type in CLOSED and node.retry is not None and node.retry.strategy != "none":
            has_body = node.type in body_types and "workflow" not in node.config
            instead = "give it to the nodes of the body" if has_body else "leave it out"
            self.report("MS245", f"a {node.type} has one attempt, and is never tried again", (*at, "retry"), instead)
        self.schema(node.input_schema, (*at, "inputSchema"))
        self.schema(node.output_schema, (*at, "outputSchema"))
        if node.input is not None:
            self.templates(node.input, (*at, "input"))
        self.config(node, (*at, "config"))
        self.subject = None

    def custom(self, node: Node, at: Pointer) -> None:
        """A kind that is not mainspring's own: nobody knows it, or what is wrong with its node."""
        from mainspring.graph import check_custom  # no definition of built-in kinds pays for it

        kind = custom_kinds.find(node.type)
        if kind is None:
            known = check_custom.known_names(self.node_types)
            hint = _type_hint(node.type, self.findings.hint(node.type, known))
            self.report("MS205", f"unknown node type `{node.type[:80]}`", (*at, "type"), hint)
            return
        for fault in check_custom.faults(node, kind):
            self.report(fault.code, fault.message, (*at, *fault.at), fault.hint)

    def connection(self, connection: Connection, at: Pointer) -> None:
        if connection.condition is not None and not self.findings.full:
            place = self.sight.index.get(connection.source)
            self.subject, self.done = None if place is None else self.sight.nodes[place], True
            self.expression(connection.condition, (*at, "condition"), "MS212")
            self.subject, self.done = None, False

    def bounds(self, part: Any, at: Pointer) -> None:
        for key, message in out_of_range(part):
            self.report("MS219", message, (*at, key))

    def schema(self, schema: dict[str, Any] | None, at: Pointer) -> None:
        if schema is not None:
            for fault in faults_of(schema):
                self.report(fault.code, fault.message, (*at, *fault.pointer), fault.hint)

    # -- config

    def config(self, node: Node, at: Pointer) -> None:
        special = _special.get(node.type)
        if special is not None:
            special(self, node, at)
        for fault in check_kinds.faults(node):
            self.report(fault.code, fault.message, (*at, *fault.at) if fault.at else at[:-1], fault.hint)
        for place in check_kinds.computed(node):
            self.local = place.sees
            if place.bare:
                self.computed(place.value, (*at, *place.way), condition=place.condition)
            else:
                self.templates(place.value, (*at, *place.way))
        self.local = _own_input
        skipped: Collection[str | int] = check_kinds.skipped(node)
        if node.type in body_types:
            skipped = {*skipped, *(way[0] for way in body_ways(node.type, node.config))}
        for key, value in node.config.items():
            if key not in skipped:
                self.templates(value, (*at, key))
        self.local = _nothing

    def script(self, node: Node, at: Pointer) -> None:
        if not node.config.get("path") and not node.config.get("code"):
            hint = "give `scriptPath: FILE`, or the code itself as `config.code`"
            self.report("MS220", f"the script node `{node.id}` has neither path nor code", at[:-1], hint)

    def function(self, node: Node, at: Pointer) -> None:
        if not node.config.get("handler") and not node.config.get("code"):
            hint = "give `handler: module:name`"
            for key in islice(node.config, _keys_looked_at_max):
                meant = self.findings.hint(key, ("handler", "code"))
                if meant is not None:
                    hint = f"its config has `{key[:80]}`; {meant}"
            self.report("MS221", f"the function node `{node.id}` has no handler", at[:-1], hint)

    def delay(self, node: Node, at: Pointer) -> None:
        named = _delay_keys & node.config.keys()
        if not named:
            hint = "give `config: {duration: 10s}`"
            self.report("MS222", f"the delay node `{node.id}` has no duration", at[:-1], hint)
        value = node.config.get("duration")
        if value is not None and not (isinstance(value, str) and "${" in value) and parse_duration(value) is None:
            hint = "write it as `500ms`, `10s`, `5m`, `1h`, `2d`, or as whole milliseconds"
            self.report("MS105", f"`{str(value)[:60]}` is no duration for `duration`", (*at, "duration"), hint)

    def computed(self, value: Any, at: Pointer, *, condition: bool) -> None:
        """An expression, bare or within `${ }`; what is no text is a template."""
        if isinstance(value, str) and "${" not in value:
            self.expression(value, at, "MS212", condition=condition)
        else:
            self.templates(value, at)

    # -- expressions

    def expression(self, text: str, at: Pointer, code: str, *, condition: bool = True) -> None:
        try:
            expression = compile_expression(text)
        except ExpressionError as error:
            message, _, hint = error.message.partition("; ")
            if not hint and "${" in text:
                hint = "a condition is an expression as it stands: write it without `${ }`"
            what = "condition" if condition else "expression"
            self.report(code, f"bad {what}: {message}", at, hint or None, error.position)
            return
        self.references(expression, 0, at)
        self.truths(expression.as_condition if condition else expression.warnings, 0, at)

    def templates(self, value: Any, at: Pointer) -> None:
        """All strings within a value; nesting is bounded by the document's, but nothing here relies on it."""
        stack: list[tuple[Any, Pointer]] = [(value, at)]
        while stack and not self.findings.full:
            item, here = stack.pop()
            if isinstance(item, str):
                if "${" in item:
                    self.template(item, here)
            elif isinstance(item, dict):
                stack.extend((child, (*here, key)) for key, child in item.items())
            elif isinstance(item, list | tuple):
                stack.extend((child, (*here, index)) for index, child in enumerate(item))

    def template(self, text: str, at: Pointer) -> None:
        if text.count("${") > template_parts_max:
            message = f"bad template: more than template_parts_max, {template_parts_max}, expressions in one text"
            self.report("MS213", message, at, "write it as a list of parts, or compute it in a task")
            return
        try:
            parts = template_parts(text)
        except ExpressionError as error:
            message, _, hint = error.message.partition("; ")
            self.report("MS213", f"bad template: {message}", at, hint or None, error.position)
            return
        for part in parts:
            if not isinstance(part, str):
                self.references(part[1], part[0], at)
                self.truths(part[1].warnings, part[0], at)

    def truths(self, warnings: tuple[tuple[str, int], ...], start: int, at: Pointer) -> None:
        for message, position in warnings:
            said, _, hint = message.partition("; ")
            self.report("MS251", said, at, hint or None, start + position)

    def references(self, expression: Expression, start: int, at: Pointer) -> None:
        roots = expression.roots
        if "value" in roots and "value" not in self.local:
            instead = "a condition looks at `output`, a mapping at `nodes.ID.output`"
            self.report(
                "MS262", "`value` is null here: it is a node's own input, in its own config", at, instead, start
            )
        if "status" in roots and "status" not in self.local:
            instead = "the status of a node is `nodes.ID.status`"
            self.report("MS262", "`status` is null here: it is the instance's, at its end", at, instead, start)
        if not roots.isdisjoint(LOOP_WORDS):
            own = self.subject.type if self.subject is not None else ""
            for told in self.sight.loop_told(expression, self.local, own):
                self.report(told.code, told.message, at, told.hint, start)
        if expression.references:
            subject = None if self.subject is None else self.subject.id
            for told in self.sight.nodes_told(expression, subject, self.done, self.findings):
                self.report(told.code, told.message, at, told.hint, start + told.position)


def _type_hint(type: str, near: str | None) -> str:
    """What an unknown type was perhaps meant to be: a loop that asks the other way round, a type like it, a runtime."""
    if plain(type) in ("dowhile", "dowhileloop"):
        return "write `type: until`, whose condition says when to stop: `!(CONDITION)`"
    if near is not None:
        return near
    runtime = runtimes.get(plain(type))
    if runtime == "python":
        return (
            "a Python function of yours is `type: function`, a script in Python `type: script` with `runtime: python`"
        )
    if runtime is not None:
        return f"a script is `type: script` with `runtime: {runtime}`"
    return "`mainspring nodes` lists the kinds there are"


_Special = Callable[[NodeChecks, Node, Pointer], None]
_special: dict[str, _Special] = {
    "script": NodeChecks.script,
    "function": NodeChecks.function,
    "delay": NodeChecks.delay,
}
