"""Tasks held against the definition that uses them, before anything runs.

A node's written `input` says what its function will get, and the function's signature says what it takes. What can be known
to be wrong is found here: a parameter that gets nothing, a key that no parameter takes (nearly always a typo), a constant of
the wrong type, inline code that does not compile, a closure that no other process could find, an interpreter that is not
installed. Values that are computed are left to the run.

Looking for a function imports its module. Inline code is compiled; where it defines `main`, what stands around that runs.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mainspring.definition.bodies import bodies
from mainspring.definition.bounds import missing_listed_max
from mainspring.definition.fallbacks import action_node
from mainspring.definition.findings import Finding, Pointer, did_you_mean, finding
from mainspring.definition.model import Node, Workflow
from mainspring.definition.vocabulary import node_types
from mainspring.errors import DefinitionError, ExpressionError, HandlerNotFound, PayloadError
from mainspring.expression import compile_template
from mainspring.graph.plan_policies import Policies
from mainspring.journal.payload import encode_payload
from mainspring.tasks.binding import Binder, MissingParameter
from mainspring.tasks.function import function_at, in_process, reference_for_worker
from mainspring.tasks.interpreters import InterpreterMissing
from mainspring.tasks.mismatch import InputMismatch
from mainspring.tasks.script import SCRIPT_KEYS, ScriptKind
from mainspring.tasks.typed import conversion_of, own_keys, why_unchecked

FUNCTION_KEYS = ("handler", "code", "process")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class TaskFindings(Struct):
    """What was found: `all` with the offset into the text that it is about (None: the whole of it), and `missing`, the
    nodes whose code (or its interpreter) is not in this process, each with what was looked for."""

    all: list[tuple[Finding, int | None]] = []
    missing: list[tuple[str, str]] = []

    @property
    def errors(self) -> list[Finding]:
        return [found for found, _ in self.all if found.severity == "error"]


def check_tasks(workflow: Workflow, folder: str) -> TaskFindings:
    """All of a definition's functions and scripts. `folder` is where it was read."""
    checks = _Checks(folder, Policies(workflow))
    checks.graph(workflow.nodes, _sources(workflow), ())
    return checks.found


def refuse_faulty_tasks(workflow: Workflow, folder: str) -> None:
    """Raise DefinitionError where a task that is at hand cannot be right. Code that is missing is no fault here."""
    if any(node.input is not None or "code" in node.config or "process" in node.config for node in workflow.nodes):
        errors = check_tasks(workflow, folder).errors
        if errors:
            # A workflow that is at hand has no lines any more; the way through its parts is still the way.
            from mainspring.definition.python_door import spelled

            raise DefinitionError([replace(found, argument=spelled(found.pointer)) for found in errors])


def _sources(workflow: Workflow) -> dict[str, list[str]]:
    """The nodes that send to each node, as often as they do; nothing for nodes whose input has another shape."""
    sources: dict[str, list[str]] = {}
    for connection in workflow.connections:
        if not connection.is_compensation:
            name = "" if connection.target_port else connection.source
            sources.setdefault(connection.target, []).append(name)
    for node in workflow.nodes:
        known = sources.setdefault(node.id, [])
        known += [source for source in node.depends_on if source not in known]
        if node.join is not None and node.join.kind not in ("all", "n"):
            known.clear()
    return sources


class _Checks:
    def __init__(self, folder: str, policies: Policies) -> None:
        self.folder = folder
        self.policies = policies
        self.found = TaskFindings([], [])
        self.binders: dict[int, tuple[Callable[..., Any], Binder]] = {}
        self.functions: dict[str, Callable[..., Any]] = {}
        self.told: set[tuple[int, str]] = set()
        self.scripts = ScriptKind()

    def report(self, code: str, message: str, at: Pointer, hint: str | None = None, offset: int | None = None) -> None:
        self.found.all.append((finding(code, message, at, hint), offset))

    def graph(self, nodes: tuple[Node, ...], sources: Mapping[str, list[str]], at: Pointer) -> None:
        for index, node in enumerate(nodes):
            here = (*at, "nodes", index)
            # To look for a module that is nowhere takes a millisecond, for each node that names it.
            if len(self.found.missing) >= missing_listed_max:
                message = (
                    f"missing_listed_max, {missing_listed_max}, nodes lack their code: no more of it is looked for"
                )
                self.report("MS902", message, here)
                return
            if node.type == "function":
                self.function(node, sources.get(node.id, ()), here)
            elif node.type == "script":
                self.script(node, here)
            elif node.type not in node_types:
                self.custom(node, here)
            self.actions(node, here)
            for way, body in bodies(node):
                self.graph(body.nodes, {}, (*here, *way))

    def actions(self, node: Node, at: Pointer) -> None:
        """What may stand in for a node is looked for as its own code is."""
        own = node.resilience.fallback_actions if node.resilience is not None else ()
        made, _ = self.policies.effective(node)
        for index, action in enumerate(made.resilience.fallback_actions if made.resilience is not None else ()):
            try:
                function_at(action_node(action), self.folder)
            except HandlerNotFound as error:
                here = (*at, "resilience", "fallbackActions", index, "type") if own else at
                self.found.missing.append((node.id, str(error)))
                self.report("MS902", f"the fallback action `{action.type}` of node `{node.id}`: {error}", here)

    # -- functions

    def function(self, node: Node, sources: typing.Sequence[str], at: Pointer) -> None:
        self.keys(node, FUNCTION_KEYS, at)
        if not node.config.get("handler") and not node.config.get("code"):
            return  # the graph's checks have said so
        function = self.located(node, at)
        if function is None:
            return
        if in_process(node, function):
            try:
                reference_for_worker(node, function)
            except HandlerNotFound as error:
                self.report("MS235", f"node `{node.id}`: {error}", (*at, "config", _code_key(node)))
        binder = self.binder(function)
        self.annotations(function, binder, (*at, "config", _code_key(node)))
        if node.input is not None:
            self.input(node, binder, (*at, "input"))
        elif len(sources) > 1 and len(set(sources)) == len(sources) and "" not in sources:
            self.gathered(node, binder, sources, at)

    def located(self, node: Node, at: Pointer) -> Callable[..., Any] | None:
        """The node's function, where it can be had. A reference is looked up once."""
        handler, code = node.config.get("handler"), node.config.get("code")
        if isinstance(code, str) and code and not handler:
            return self.inline(node, code, (*at, "config", "code"))
        known = self.functions.get(handler) if isinstance(handler, str) else None
        if known is not None and not code:
            return known
        try:
            function = function_at(node, self.folder)
        except HandlerNotFound as error:
            self.missing("MS902", node, str(error), (*at, "config", _code_key(node)))
            return None
        except DefinitionError as error:
            self.refused(error, at)
            return None
        if isinstance(handler, str):
            self.functions[handler] = function
        return function

    def inline(self, node: Node, code: str, at: Pointer) -> Callable[..., Any] | None:
        from mainspring.tasks.inline import CodeFault, compiled

        try:
            return compiled(code)
        except CodeFault as error:
            offset = None if error.line is None else _offset(code, error.line, error.column or 1)
            self.report("MS234", f"node `{node.id}`: {error}", at, offset=offset)
        except HandlerNotFound as error:
            self.missing("MS902", node, str(error), at)
        return None

    def binder(self, function: Callable[..., Any]) -> Binder:
        known = self.binders.get(id(function))
        if known is None:
            known = self.binders[id(function)] = (function, Binder(function))  # holds it, so that its id stays its own
        return known[1]

    def annotations(self, function: Callable[..., Any], binder: Binder, at: Pointer) -> None:
        for name, annotation in binder.annotations.items():
            why = None if name in binder.conversions else why_unchecked(annotation)
            if why is not None and (id(function), name) not in self.told:
                self.told.add((id(function), name))
                message = f"what goes to `{name}` of {binder.title} is not held to its annotation: {why}"
                self.report("MS238", message, at)

    # -- what the function gets

    def input(self, node: Node, binder: Binder, at: Pointer) -> None:
        given = node.input
        if isinstance(given, dict):
            if binder.whole and (binder.always_whole or binder.required[0] not in given):
                self.whole(binder, given, at)
            else:
                self.by_name(node, binder, given, at)
            return
        known, value = _constant(given)
        if not known:
            return
        try:
            binder.named(value)
        except MissingParameter as error:
            self.report("MS230", str(error), at)
        except InputMismatch as error:
            self.mismatch(error, binder, at)

    def by_name(self, node: Node, binder: Binder, given: dict[str, Any], at: Pointer) -> None:
        names = [parameter.name for parameter in binder.wanted]
        hidden = self.hidden(node, given, at)
        missing = [name for name in binder.required if name not in given]
        unknown = [] if binder.catches_all or _asks_for_input(node, binder) else [k for k in given if k not in names]
        self.compared(binder.title, missing, [key for key in unknown if key not in hidden], names, given, at)
        for name, conversion in binder.conversions.items():
            if name in given:
                self.constant(conversion, given[name], name, binder, at)

    def whole(self, binder: Binder, given: dict[str, Any], at: Pointer) -> None:
        """The only parameter gets all of it: its type says which keys there are."""
        annotation = binder.annotations[binder.required[0]]
        keys = own_keys(annotation)
        if keys is None:
            known, value = _constant(given)
            conversion = binder.conversions.get(binder.required[0])
            if known and conversion is not None:
                self.constant(conversion, value, "", binder, at)
            return
        missing = [key for key, required in keys.items() if required and key not in given]
        title = f"{getattr(annotation, '__name__', annotation)} (for {binder.title})"
        self.compared(title, missing, [key for key in given if key not in keys], list(keys), given, at)
        for key, value in given.items():
            field = conversion_of(_field(annotation, key))
            if field is not None:
                self.constant(field, value, key, binder, at)

    def compared(
        self, title: str, missing: list[str], unknown: list[str], names: list[str], given: dict[str, Any], at: Pointer
    ) -> None:
        """What gets nothing, and what goes nowhere; a misspelled key is both, and is told once."""
        free = [name for name in names if name not in given]
        meant = {key: hint for key in unknown if (hint := did_you_mean(key, free))}
        for name in missing:
            key = next((key for key, hint in meant.items() if f"`{name}`" in hint), None)
            if key is not None:
                unknown = [each for each in unknown if each != key]
                self.report("MS230", f"{title} needs `{name}`, and there is `{key}`", (*at, key), meant[key])
            else:
                shown = ", ".join(f"`{key}`" for key in list(given)[:10]) or "nothing"
                self.report("MS230", f"{title} needs `{name}`, and the input has {shown}", at)
        takes = f"it takes {', '.join(f'`{name}`' for name in names[:10])}" if names else "it takes nothing"
        for key in unknown:
            self.report("MS231", f"`{key}` is dropped: {title} does not take it", (*at, key), meant.get(key, takes))

    def constant(
        self, conversion: Callable[[Any, str], Any], value: Any, name: str, binder: Binder, at: Pointer
    ) -> None:
        known, read = _constant(value)
        if known:
            try:
                conversion(read, f"input.{name}" if name else "input")
            except InputMismatch as error:
                self.mismatch(error, binder, at)

    def mismatch(self, error: InputMismatch, binder: Binder, at: Pointer) -> None:
        steps = [m[1] if m[1] is not None else int(m[2]) for m in _STEP.finditer(error.place.removeprefix("input"))]
        self.report("MS232", f"{error} ({binder.title})", (*at, *steps))

    def hidden(self, node: Node, given: dict[str, Any], at: Pointer) -> list[str]:
        """Keys that inline code cannot see by their name, because Python has something of that name."""
        code = node.config.get("code")
        if not code:
            return []
        from mainspring.tasks.inline import shadowed

        keys = shadowed(code, given)
        for key in keys:
            hint = f'write input["{key}"]'
            self.report("MS233", f"`{key}` in the code is Python's own, not the input's", (*at, key), hint)
        return keys

    def gathered(self, node: Node, binder: Binder, sources: typing.Sequence[str], at: Pointer) -> None:
        """A join's payload is an object keyed by source: what is not called like one of them gets nothing."""
        if binder.whole and binder.required[0] not in sources:
            return
        for name in (name for name in binder.required if name not in sources):
            message = f"{binder.title} needs `{name}`, and node `{node.id}` gets an object keyed by source"
            hint = did_you_mean(name, sources) or (
                f"it has {', '.join(f'`{each}`' for each in sources[:10])}; write an `input` to map them"
            )
            self.report("MS230", message, at, hint)

    # -- scripts

    def script(self, node: Node, at: Pointer) -> None:
        self.keys(node, SCRIPT_KEYS, at)
        if not node.config.get("path") and not node.config.get("code"):
            return
        try:
            self.scripts.prepare(node, self.folder)
        except InterpreterMissing as error:
            key = "runtime" if "runtime" in node.config else "path"
            self.missing("MS236", node, str(error), (*at, "config", key))
        except HandlerNotFound as error:
            self.missing("MS902", node, str(error).removeprefix(f"node `{node.id}`: "), (*at, "config", "path"))
        except DefinitionError as error:
            self.refused(error, at)

    # -- custom kinds

    def custom(self, node: Node, at: Pointer) -> None:
        """The graph's checks hold its config to the schema; what a schema cannot say, and the input, are looked at here."""
        # Imported here: no definition of built-in kinds pays for it.
        from mainspring.tasks.custom import Arguments, ConfigInvalid, input_binder, usable, worker_reference

        try:
            kind = usable(node.type)
            if kind.process:
                worker_reference(kind)
        except HandlerNotFound as error:
            self.report("MS235", f"node `{node.id}`: {error}", (*at, "type"))
            return
        arguments = Arguments(kind)
        known, config = _constant(node.config)
        if known:
            try:
                arguments.config(encode_payload(config, "config"))
            except (ConfigInvalid, PayloadError) as error:
                self.report("MS271", f"node `{node.id}`: {error}", (*at, "config"))
        binder = input_binder(kind)
        if binder is None:
            return
        self.annotations(kind.handler, binder, (*at, "type"))
        if isinstance(node.input, dict):
            self.whole(binder, node.input, (*at, "input"))
        elif node.input is not None and arguments.input is not None:
            self.constant(arguments.input, node.input, "", binder, (*at, "input"))

    # -- all

    def missing(self, code: str, node: Node, reason: str, at: Pointer) -> None:
        self.found.missing.append((node.id, reason))
        self.report(code, f"node `{node.id}`: {reason}", at)

    def refused(self, error: DefinitionError, at: Pointer) -> None:
        """What a kind says of its node's config, at its place in the definition (a kind knows the node's id alone)."""
        self.found.all += [(replace(one, pointer=(*at, *one.pointer[2:])), None) for one in error.findings]

    def keys(self, node: Node, known: tuple[str, ...], at: Pointer) -> None:
        """Config may hold anything; but what is nearly a key that means something was hardly meant to mean nothing."""
        for key in node.config:
            hint = None if key in known else did_you_mean(key, known)
            if hint is not None:
                message = f"`{key}` means nothing to a {node.type} node"
                self.report("MS237", message, (*at, "config", key), hint)


def _code_key(node: Node) -> str:
    return "handler" if node.config.get("handler") else "code"


def _asks_for_input(node: Node, binder: Binder) -> bool:
    """Whether inline code has `input` or a context, through which it can see all keys."""
    return bool(node.config.get("code")) and bool(binder.context)


def _constant(value: Any) -> tuple[bool, Any]:
    """Whether a part of a mapping is known now, and what it is."""
    try:
        template = compile_template(value)
    except ExpressionError:
        return False, None  # the graph's checks have said so
    return (True, template(None)) if template.constant else (False, None)


def _field(annotation: Any, key: str) -> Any:
    try:
        return typing.get_type_hints(annotation, include_extras=True).get(key, Any)
    except Exception:
        return Any


def _offset(code: str, line: int, column: int) -> int:
    lines = code.splitlines(keepends=True)
    return min(sum(map(len, lines[: line - 1])) + column - 1, max(len(code) - 1, 0))
