"""The one form in which a workflow is saved and hashed, and its two forms for people.

Canonical bytes are a function of the workflow's value: equal workflows have equal bytes, whichever door they came by. The
order of named policies counts too: the first that matches a node holds.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from mainspring.definition.model import Workflow
from mainspring.definition.scalars import NotANumber, resolve
from mainspring.definition.trees import plain_tree

_decoder = msgspec.json.Decoder(Workflow)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode(workflow: Workflow) -> bytes:
    """Canonical JSON: camelCase, keys in a stable order, defaults left out."""
    # Through the decoder once: a model built in Python may hold 2 where the field is a float and the file has 2.0.
    tree = plain_tree(_decoder.decode(_encoder.encode(workflow)))
    if workflow.resilience is not None and workflow.resilience.step_policies:
        # The first that matches holds, so their order is a part of what they say.
        named = tree["resilience"]["stepPolicies"]
        parts = [
            _encoder.encode(name) + b":" + _encoder.encode(named[name]) for name in workflow.resilience.step_policies
        ]
        tree["resilience"]["stepPolicies"] = msgspec.Raw(b"{" + b",".join(parts) + b"}")
    return _encoder.encode(tree)


def decode(data: bytes) -> Workflow:
    return _decoder.decode(data)


def content_hash(data: bytes) -> str:
    """What pins a definition: sha256 of its canonical bytes, the first 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def to_json(workflow: Workflow) -> str:
    tree = plain_tree(_decoder.decode(encode(workflow)))
    return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode() + "\n"


def to_yaml(workflow: Workflow) -> str:
    """YAML for people: durations as the shortest exact text, everything in the order of the model."""
    import yaml

    tree = plain_tree(_decoder.decode(encode(workflow)), texts=True)
    text: str = yaml.dump(tree, Dumper=_dumper(yaml), sort_keys=False, allow_unicode=True, width=110)
    return text


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
