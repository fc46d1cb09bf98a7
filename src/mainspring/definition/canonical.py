"""The one form in which a workflow is saved and hashed, and its two forms for people.

Canonical bytes are a function of the workflow's value: equal workflows have equal bytes, whichever door they came by.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from mainspring.definition import model
from mainspring.definition.durations import format_duration
from mainspring.definition.model import Workflow
from mainspring.definition.scalars import NotANumber, resolve
from mainspring.definition.vocabulary import duration_fields

_decoder = msgspec.json.Decoder(Workflow)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode(workflow: Workflow) -> bytes:
    """Canonical JSON: camelCase, keys in a stable order, defaults left out."""
    # Through the decoder once: a model built in Python may hold 2 where the field is a float and the file has 2.0.
    return _encoder.encode(_tree(_decoder.decode(_encoder.encode(workflow))))


def decode(data: bytes) -> Workflow:
    return _decoder.decode(data)


def content_hash(data: bytes) -> str:
    """What pins a definition: sha256 of its canonical bytes, the first 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def to_json(workflow: Workflow) -> str:
    tree = _tree(_decoder.decode(encode(workflow)))
    return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode() + "\n"


def to_yaml(workflow: Workflow) -> str:
    """YAML for people: durations as the shortest exact text, everything in the order of the model."""
    import yaml

    tree = _tree(_decoder.decode(encode(workflow)))
    _write_durations(tree)
    text: str = yaml.dump(tree, Dumper=_dumper(yaml), sort_keys=False, allow_unicode=True, width=110)
    return text


def _tree(workflow: Workflow) -> dict[str, Any]:
    """The workflow as plain values. msgspec leaves defaults out by identity; here by value."""
    tree: dict[str, Any] = msgspec.to_builtins(workflow)
    _prune(tree, model.Workflow)
    for node in tree["nodes"]:
        _prune(node, model.Node)
        for name, struct in _node_parts:
            if name in node:
                _prune(node[name], struct)
    for connection in tree.get("connections", ()):
        _prune(connection, model.Connection)
    for name, struct in _workflow_parts:
        if name in tree:
            _prune(tree[name], struct)
    return tree


_node_parts: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("retry", model.Retry),
    ("resilience", model.Resilience),
    ("circuitBreaker", model.CircuitBreaker),
    ("rateLimit", model.RateLimit),
    ("resources", model.Resources),
    ("cache", model.Cache),
    ("join", model.Join),
    ("position", model.Position),
)
_workflow_parts: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("retry", model.Retry),
    ("quotas", model.Resources),
    ("checkpoint", model.Checkpoint),
)
_defaults: dict[type[msgspec.Struct], dict[str, Any]] = {}


def _prune(tree: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    defaults = _defaults.get(struct)
    if defaults is None:
        defaults = _defaults[struct] = {
            field.encode_name: field.default
            for field in msgspec.structs.fields(struct)
            if isinstance(field.default, str | int | float)
        }
    for name in [name for name, value in tree.items() if name in defaults and value == defaults[name]]:
        del tree[name]


def _write_durations(tree: dict[str, Any]) -> None:
    parts: list[tuple[Any, type[msgspec.Struct]]] = [(tree, model.Workflow)]
    parts += [(tree.get(name), struct) for name, struct in _workflow_parts]
    for node in tree["nodes"]:
        parts.append((node, model.Node))
        parts += [(node.get(name), struct) for name, struct in _node_parts]
    for part, struct in parts:
        for name in duration_fields.get(struct, ()):
            if part is not None and name in part:
                part[name] = format_duration(part[name])


_dumpers: list[Any] = []


def _dumper(yaml: Any) -> Any:
    """A dumper that quotes what YAML 1.2 would not read back as text (PyYAML knows 1.1 only), and writes no aliases."""
    if not _dumpers:
        dumper: Any = type("Dumper", (yaml.CSafeDumper,), {"ignore_aliases": lambda self, data: True})
        dumper.add_representer(str, _represent_text)
        _dumpers.append(dumper)
    return _dumpers[0]


def _represent_text(dumper: Any, text: str) -> Any:
    try:
        style = None if resolve(text) is text else "'"
    except NotANumber:
        style = "'"
    if not text.isprintable():
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
