"""What modelled tasks give: what the author tells, what the outputSchema asks for, or what expressions look at.

A value that a condition compares has several candidates, so that each way out of the condition is taken by some run. A
variant is a choice of candidates; variant 0 has the first of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

import msgspec
from msgspec import Struct

from mainspring.definition.bodies import bodies
from mainspring.definition.model import Body, Connection, Node, Workflow
from mainspring.errors import ExpressionError
from mainspring.expression.template import _closing, _part
from mainspring.expression.tokens import Token, tokenize

VARIANTS_MAX = 8
"""How many choices of candidates are tried. Where there are more, each candidate is tried by itself."""

INPUT = ""
"""Whose value the instance's input is: no node is called so."""

_COMPARE = frozenset(("==", "!=", "===", "!==", "<", "<=", ">", ">="))
_NUMBERS = frozenset(("<", "<=", ">", ">=", "+", "-", "*", "/", "%"))

Path = tuple[str, ...]


class Read(Struct, frozen=True):
    """An expression looks at `path` of the output of `node`. `candidates` are values that decide something."""

    node: str
    path: Path
    candidates: tuple[Any, ...]
    compared: bool


class Modelled(Struct):
    """The values of all nodes in each variant. `get` gives that of a node, `given` says which were told."""

    values: list[dict[str, Any]]
    told: frozenset[str]

    def get(self, variant: int, node: str) -> Any:
        """A node's output; of the instance, its input."""
        return self.values[variant % len(self.values)].get(node, {})

    @property
    def variants(self) -> int:
        """How many there are."""
        return len(self.values)


def modelled(workflow: Workflow, outputs: Mapping[str, Any], input: Any = None) -> Modelled:
    """The values of a workflow's nodes. `outputs` and `input` are what was told of them."""
    said = workflow.check
    told = {**({} if said is None else said.outputs), **outputs}
    input = said.input if input is None and said is not None else input
    if input is not None:
        told[INPUT] = input
    schemas = {node.id: node.output_schema for node in _nodes(workflow.nodes) if node.output_schema is not None}
    if workflow.input_schema is not None:
        schemas[INPUT] = workflow.input_schema
    fields: dict[tuple[str, Path], list[Any]] = {}
    deciding: set[tuple[str, Path]] = set()
    for read in _reads(workflow):
        if read.node in told:
            continue
        key = (read.node, read.path)
        known = fields.setdefault(key, [])
        # What is compared decides; what is merely handed on may be anything.
        known[:] = _distinct([*read.candidates, *known] if read.compared else [*known, *read.candidates])
        if read.compared:
            deciding.add(key)
    base: dict[str, Any] = {name: example(schema, schema) for name, schema in schemas.items() if name not in told}
    choices = [(key, fields[key] if key in deciding else fields[key][:1]) for key in sorted(fields)]
    choices = [(key, some) for key, some in choices if some and _fits(schemas.get(key[0]), key[1], key in deciding)]
    return Modelled([_put(told, base, choice) for choice in _variants(choices)], frozenset(told))


def _variants(choices: list[tuple[tuple[str, Path], list[Any]]]) -> Iterator[list[tuple[tuple[str, Path], Any]]]:
    keys = [key for key, _ in choices]
    count = 1
    for _, some in choices:
        count *= len(some)
    if count <= VARIANTS_MAX:
        yield from (list(zip(keys, values, strict=True)) for values in product(*(some for _, some in choices)))
        return
    first = [(key, some[0]) for key, some in choices]
    yield first
    single = (
        [*first[:place], (key, other), *first[place + 1 :]]
        for place, (key, some) in enumerate(choices)
        for other in some[1:]
    )
    yield from islice(single, VARIANTS_MAX * 4)


def _put(told: dict[str, Any], base: dict[str, Any], choice: list[tuple[tuple[str, Path], Any]]) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(base))
    # The shorter paths first: what lies within a value is put into it.
    for (node, path), value in sorted(choice, key=lambda item: len(item[0][1])):
        made[node] = _within(made.get(node, {} if path else value), path, value)
    return {**made, **told}


def _within(whole: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    fields = dict(whole) if isinstance(whole, dict) else {}
    fields[path[0]] = _within(fields.get(path[0]), path[1:], value)
    return fields


def _fits(schema: dict[str, Any] | None, path: Path, deciding: bool) -> bool:
    """Whether what expressions look at is to be put into a value that a schema describes."""
    if schema is None or deciding:
        return True
    properties = schema.get("properties", {})
    return bool(path) and isinstance(properties, dict) and path[0] not in properties


def _distinct(values: list[Any]) -> list[Any]:
    seen: dict[bytes, Any] = {}
    for value in values:
        seen.setdefault(msgspec.json.encode(value), value)
    return list(seen.values())


# --- what expressions look at ---------------------------------------------------------------------------------------


def _nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for _, body in bodies(node):
            yield from _nodes(body.nodes)


def _reads(workflow: Workflow) -> Iterator[Read]:
    yield from _of_graph(workflow, top=True)
    yield from _of_value(workflow.output, None)


def _of_graph(graph: Workflow | Body, top: bool = False) -> Iterator[Read]:
    for node in graph.nodes:
        config = {key: value for key, value in node.config.items() if key not in ("body", "branches")}
        for read in (*_of_value(node.input, None), *_of_config(node, config)):
            if read.node or top:  # in a body, `input` is what the body works on
                yield read
        for _, body in bodies(node):
            yield from _of_graph(body)
            yield from _of_value(body.output, None)
    for connection in graph.connections:
        if connection.condition is not None:
            yield from (read for read in _of_condition(connection) if read.node or top)


def _of_condition(connection: Connection) -> Iterator[Read]:
    yield from _of_expression(connection.condition or "", connection.source, condition=True)


def _of_config(node: Node, config: dict[str, Any]) -> Iterator[Read]:
    """What blocks and decisions are told is an expression as it stands, or holds `${ }`."""
    for key, value in config.items():
        if isinstance(value, str) and "${" not in value and node.type != "function":
            reads = list(_of_expression(value, None, condition=key in ("condition", "when", "until", "while")))
        else:
            reads = list(_of_value(value, None))
        for read in reads:
            if key == "items":
                yield Read(read.node, read.path, ([1, 2],), True)
            else:
                yield read


def _of_value(value: Any, own: str | None) -> Iterator[Read]:
    """All strings within a value that hold `${ }`."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)
        elif isinstance(item, str) and "${" in item:
            at = 0
            while match := _part.search(item, at):
                try:
                    end = _closing(item, match)
                except ExpressionError:
                    break
                yield from _of_expression(item[match.end() : end], own, condition=False)
                at = end


def _of_expression(text: str, own: str | None, *, condition: bool) -> Iterator[Read]:
    """The outputs that an expression names, each with what it is compared with. `own`: whose `output` it sees."""
    try:
        tokens = tokenize(text)
    except ExpressionError:
        return
    at = 0
    while at < len(tokens):
        root = tokens[at]
        if root.kind != "name" or (at and tokens[at - 1].value == "." and tokens[at - 1].kind == "op"):
            at += 1
            continue
        keys, end = _keys(tokens, at + 1)
        node, path = _meant(root.value, keys, own)
        if node is not None:
            found, compared = _candidates(tokens, at, end, path, condition)
            yield Read(node, path, tuple(found), compared)
        at = max(end, at + 1)


def _keys(tokens: list[Token], at: int) -> tuple[Path, int]:
    keys: list[str] = []
    while True:
        if tokens[at].value == "." and tokens[at].kind == "op" and tokens[at + 1].kind == "name":
            keys.append(tokens[at + 1].value)
            at += 2
        elif tokens[at].value == "[" and tokens[at + 1].kind == "text" and tokens[at + 2].value == "]":
            keys.append(tokens[at + 1].value)
            at += 3
        else:
            return tuple(keys), at


def _meant(root: str, keys: Path, own: str | None) -> tuple[str | None, Path]:
    """The node whose output is looked at, and where in it."""
    if root == "nodes" and len(keys) >= 2 and keys[1] == "output":
        return keys[0], keys[2:]
    if root == "output" and own is not None:
        return own, keys
    if root == "input":
        return INPUT, keys
    return None, ()


def _candidates(tokens: list[Token], at: int, end: int, path: Path, condition: bool) -> tuple[list[Any], bool]:
    following, before = tokens[end], tokens[at - 1] if at else None
    if at > 1 and tokens[at - 2].value == "default" and following.value == "," and tokens[end + 1].kind != "op":
        return [_constant(tokens[end + 1])], False
    for operator, other in (
        (following, tokens[min(end + 1, len(tokens) - 1)]),
        (before, tokens[at - 2] if at > 1 else None),
    ):
        if operator is None or other is None:
            continue
        if operator.kind == "op" and operator.value in _COMPARE:
            return _around(operator.value, _constant(other)), True
        if operator.kind == "op" and operator.value in _NUMBERS:
            return [1], False
    if following.kind == "name" and following.value == "in" and tokens[end + 1].value == "[":
        listed = []
        for token in tokens[end + 2 :]:
            if token.value == "]":
                break
            if token.kind in ("text", "number"):
                listed.append(token.value)
        return [*listed, "other"], True
    if condition:
        return [True, False], True
    return [f"a {path[-1]}"] if path else [], False


def _constant(token: Token) -> Any:
    if token.kind == "name":
        return {"true": True, "false": False, "null": None}.get(token.value, "a value")
    return token.value if token.kind in ("text", "number") else 1


def _around(operator: str, value: Any) -> list[Any]:
    """Values for which the comparison is true, and false."""
    if isinstance(value, bool):
        return [value, not value]
    if value is None:
        return [None, "a value"]
    if isinstance(value, int | float):
        return [value, value + 1, value - 1] if operator in _NUMBERS else [value, value + 1]
    return [value, f"not {value}"]


# --- what a schema asks for -----------------------------------------------------------------------------------------


def example(schema: Any, whole: dict[str, Any], depth: int = 0) -> Any:
    """A small value that meets a JSON Schema, as far as one can be told without solving it."""
    if not isinstance(schema, dict) or depth > 20:
        return {} if schema is True else None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "$ref" in schema:
        return example(_referred(schema["$ref"], whole), whole, depth + 1)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return example(schema[key][0], whole, depth + 1)
    if schema.get("allOf"):
        made = [example(part, whole, depth + 1) for part in schema["allOf"]]
        return {key: value for part in made if isinstance(part, dict) for key, value in part.items()} or made[0]
    return _of_type(schema, whole, depth)


def _of_type(schema: dict[str, Any], whole: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else None)
    kind = str(kind[0]) if isinstance(kind, list) and kind else kind
    if kind == "object" or kind is None:
        properties = schema.get("properties", {})
        made = {name: example(part, whole, depth + 1) for name, part in properties.items()}
        return {**dict.fromkeys(schema.get("required", ()), "a value"), **made}
    if kind == "array":
        count = max(schema.get("minItems", 0), 0 if schema.get("maxItems") == 0 else 1)
        return [example(schema.get("items", True), whole, depth + 1) for _ in range(count)]
    if kind == "string":
        return _text(schema)
    if kind in ("integer", "number"):
        return _number(schema)
    return True if kind == "boolean" else None


_FORMATS = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def _text(schema: dict[str, Any]) -> str:
    text = _FORMATS.get(schema.get("format", ""), "text")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def _number(schema: dict[str, Any]) -> Any:
    value = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in schema else 1)
    value = min(value, schema.get("maximum", schema.get("exclusiveMaximum", value + 1) - 1))
    step = schema.get("multipleOf")
    return -(-value // step) * step if step else value


def _referred(reference: Any, whole: dict[str, Any]) -> Any:
    found: Any = whole
    for part in str(reference).lstrip("#/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) and part else found
    return found
