"""What can be wrong with a node or a connection by itself: its id, type, numbers, expressions and templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

from msgspec.structs import replace

from mainspring.definition.bodies import body_ways
from mainspring.definition.bounds import findings_max, hints_max, template_parts_max
from mainspring.definition.durations import parse_duration
from mainspring.definition.findings import Finding, Pointer, did_you_mean, finding
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.definition.ranges import out_of_range
from mainspring.definition.vocabulary import plain, runtimes
from mainspring.errors import ExpressionError
from mainspring.expression import Expression, compile_expression, template_parts
from mainspring.graph import check_kinds
from mainspring.graph.check_schemas import faults_of
from mainspring.graph.plan import MACHINE_TYPES

_keys_looked_at_max = 8
_id = re.compile(r"[^\W]([\w:-])*")
_delay_keys = frozenset(
    "duration delay delayValue delayMs milliseconds ms seconds minutes for until at expression value".split()  # noqa: SIM905
)


class Findings:
    """What was found, each with the offset into the text it points at (None where it is not about text)."""

    def __init__(self) -> None:
        self.all: list[tuple[Finding, int | None]] = []
        self.hints = 0

    @property
    def full(self) -> bool:
        """Whether there are more than will be listed, so that it is no use to look for others."""
        return len(self.all) > findings_max

    def hint(self, word: str, known: Collection[str]) -> str | None:
        """What was perhaps meant; for the first `hints_max` words."""
        self.hints += 1
        return did_you_mean(word, known) if self.hints <= hints_max else None

    def report(self, code: str, message: str, at: Pointer, hint: str | None = None, offset: int | None = None) -> None:
        self.all.append((finding(code, message, at, hint), offset))

    def add(self, within: Findings, at: Pointer) -> None:
        """What was found in a graph of its own that stands at a place of this one."""
        self.all += [(replace(found, pointer=(*at, *found.pointer)), offset) for found, offset in within.all]


class NodeChecks:
    def __init__(self, node_ids: Collection[str], node_types: Collection[str], findings: Findings) -> None:
        self.node_ids = node_ids
        self.node_types = node_types
        self.findings = findings
        self.report = findings.report
        self.has_value = False

    def workflow(self, workflow: Workflow) -> None:
        self.bounds(workflow, ())
        if workflow.retry is not None:
            self.bounds(workflow.retry, ("retry",))
        self.templates(workflow.output, ("output",))
        self.schema(workflow.input_schema, ("inputSchema",))
        self.schema(workflow.output_schema, ("outputSchema",))

    def node(self, node: Node, at: Pointer) -> None:
        if self.findings.full:
            return
        if len(node.id) > 200 or _id.fullmatch(node.id) is None:
            hint = "use letters, digits, `_`, `-` and `:`"
            self.report("MS202", f"`{node.id[:80]}` cannot be a node's id", (*at, "id"), hint)
        if node.type not in self.node_types:
            hint = self.findings.hint(node.type, self.node_types) or _type_hint(node.type)
            self.report("MS205", f"unknown node type `{node.type[:80]}`", (*at, "type"), hint)
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
            if node.type in MACHINE_TYPES:
                self.report("MS244", f"a {node.type} node has no work whose result could be kept", (*at, "cache"))
        self.schema(node.input_schema, (*at, "inputSchema"))
        self.schema(node.output_schema, (*at, "outputSchema"))
        if node.input is not None:
            self.templates(node.input, (*at, "input"))
        self.config(node, (*at, "config"))

    def connection(self, connection: Connection, at: Pointer) -> None:
        if connection.condition is not None and not self.findings.full:
            self.expression(connection.condition, (*at, "condition"), "MS212")

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
            self.report("MS261", fault.message, (*at, *fault.at) if fault.at else at[:-1], fault.hint)
        self.has_value = True
        for value, way, condition in check_kinds.expressions(node):
            self.computed(value, (*at, *way), condition=condition)
        for value, way in check_kinds.templates(node):
            self.templates(value, (*at, *way))
        skipped = {*check_kinds.skipped(node), *(way[0] for way in body_ways(node.type, node.config))}
        for key, value in node.config.items():
            if key not in skipped:
                self.templates(value, (*at, key))
        self.has_value = False

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
        if "value" in expression.roots and not self.has_value:
            instead = "a condition looks at `output`, a mapping at `nodes.ID.output`"
            self.report(
                "MS262", "`value` is null here: it is a node's own input, in its own config", at, instead, start
            )
        for name, position in expression.references:
            if name not in self.node_ids:
                hint = self.findings.hint(name, self.node_ids)
                self.report("MS214", f"there is no node `{name[:80]}`: it is always null", at, hint, start + position)


def _type_hint(type: str) -> str:
    """For a type that is like no other: a runtime is no type, and was meant all the same."""
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
