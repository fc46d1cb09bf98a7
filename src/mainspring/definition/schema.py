"""The JSON Schema (draft 2020-12) of what the doors accept, made from the model, the words and the ranges.

Editors complete the canonical keys; other spellings are accepted as patterns, in camelCase, PascalCase, snake_case and
kebab-case. What only the graph knows (a dangling connection, a cycle) and the same thing said twice is for `validate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

from mainspring.definition import model, resilience_spelling, vocabulary
from mainspring.definition import policies_spelling as words_of_values
from mainspring.definition.durations import format_duration
from mainspring.definition.kind_keys import KIND_KEYS, Key
from mainspring.definition.meanings import meaning, meanings
from mainspring.definition.ranges import ranges
from mainspring.definition.resilience_file import ResilienceConfig, ResilienceSpec, StepPolicy
from mainspring.definition.vocabulary import Choice, Words, duration_fields

Schema = dict[str, Any]
Struct = type[msgspec.Struct]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DURATION: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*([mM][sS]|[sSmMhHdD])\s*)+$|^\s*[0-9]+\s*$"},
    ]
}
_name: Schema = {"type": ["string", "integer"]}
_text: Schema = {"type": "string"}
_object: Schema = {"type": "object"}


def workflow_schema() -> Schema:
    """Of a workflow's file."""
    return _Schemas().document(model.Workflow, "A mainspring workflow")


def resilience_schema() -> Schema:
    """Of a resilience file."""
    return _Schemas().document(ResilienceConfig, "A mainspring resilience file")


def _either(*options: Schema) -> Schema:
    return {"anyOf": list(options)}


def _one_or_list(item: Schema) -> Schema:
    return _either(item, {"type": "array", "items": item})


def _forms(word: str) -> list[str]:
    """`nodeId`, `NodeId`, `node_id`, `node-id`."""
    parts = re.findall(r"[A-Z]?[a-z0-9.#|,]+|[A-Z]+", word.replace("_", " ").replace("-", " "))
    lowered = [part.lower() for part in parts]
    pascal = "".join(part.capitalize() for part in lowered)
    return list(dict.fromkeys((word, pascal[:1].lower() + pascal[1:], pascal, "_".join(lowered), "-".join(lowered))))


def _escaped(text: str) -> str:
    return re.sub(r"([.|$+^*?()])", r"\\\1", text)


def _pattern(words: Iterable[str], *, capitals: bool = False) -> str:
    forms = dict.fromkeys(form for word in words for form in _forms(word))
    if capitals:
        forms |= dict.fromkeys(form.upper() for form in forms)
    return f"^(?:{'|'.join(map(_escaped, forms))})$"


def _words(choice: Choice, *more: str) -> Schema:
    """The canonical words for completion, and how else they may be written."""
    spelled = [word for words in choice.spelled.values() for word in words]
    pattern = _pattern((*spelled, *more), capitals=True)
    return _either({"enum": list(choice.spelled)}, {"type": "string", "pattern": pattern})


_keys: dict[Any, Words] = {words.struct: words for words in (*vocabulary.words, *resilience_spelling.words)}
_triggers = _words(vocabulary.triggers)
# Custom kinds have any name; those that say whose they are, as `slack.post` does, are no misspelling of ours.
_custom_type: Schema = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_-]*(?:[.:/][A-Za-z0-9_-]+)+$"}

# Values that may be written in other ways than the model has them, by struct and canonical key.
_values: dict[tuple[Struct, str], Schema] = {
    (model.Workflow, "id"): _name,
    (model.Workflow, "version"): {"type": ["string", "number", "null"]},
    (model.Workflow, "failurePolicy"): _words(words_of_values.failure_policies),
    (model.Workflow, "compensationScope"): _words(words_of_values.compensation_scopes),
    (model.Node, "id"): _name,
    (model.Node, "type"): _either(_words(vocabulary.node_type_choice, "action"), _custom_type),
    (model.Node, "dependsOn"): _one_or_list(_name),
    (model.Node, "priority"): _words(words_of_values.priorities),
    (model.Connection, "id"): _name,
    (model.Connection, "source"): _name,
    (model.Connection, "target"): _name,
    (model.Connection, "condition"): {"type": ["string", "boolean"]},
    (model.Connection, "sourcePort"): {"type": ["string", "boolean"]},
    (model.Connection, "trigger"): _either(_triggers, {"type": "array", "items": _triggers, "minItems": 1}),
    (model.Retry, "strategy"): _words(words_of_values.strategies),
    (model.Retry, "jitter"): _either({"type": "number", "minimum": 0, "maximum": 1}, {"type": "boolean"}),
    (model.Retry, "maxRetries"): {"type": "integer", "minimum": 0, "maximum": 9},
    (model.Join, "kind"): _words(words_of_values.join_kinds),
    (model.Resilience, "failurePolicy"): _words(words_of_values.failure_policies),
    (model.Resilience, "failureImpact"): _words(words_of_values.impacts),
    (model.Checkpoint, "policy"): _words(words_of_values.checkpoint_policies),
    (ResilienceSpec, "defaultFailurePolicy"): _words(words_of_values.failure_policies),
    (StepPolicy, "failurePolicy"): _words(words_of_values.failure_policies),
    (StepPolicy, "failureImpact"): _words(words_of_values.impacts),
    **{(struct, name): _one_or_list(_text) for struct, name in (
        (model.Workflow, "tags"), (model.Node, "tags"), (StepPolicy, "match"),
        (model.Retry, "retryOn"), (model.Retry, "doNotRetryOn"))},
    **{(struct, "maxRetries"): {"type": "integer", "minimum": 0, "maximum": 9} for struct in (model.Resilience, StepPolicy)},
    **{(struct, "retryDelay"): DURATION for struct in (model.Resilience, StepPolicy)},
    **{(struct, "strategy"): _words(words_of_values.strategies) for struct in (model.Resilience, StepPolicy)},
    **{(model.Join, kind): {"type": ["boolean", "object", "null"]} for kind in ("all", "any", "each", "ports")},
    **{(model.Node, name): _text for name in ("handler", "code", "path", "runtime")},
    **{(model.Workflow, name): {} for name in ("createdAt", "updatedAt", "createdBy")},
    (model.Node, "data"): _object,
    (model.Node, "action"): _either(_text, {"type": "object", "required": ["type"]}),
    (model.Node, "body"): {},
    (model.Node, "branches"): {},
}  # fmt: skip
# What may stand for a whole part.
_shorthands: dict[Struct, tuple[Schema, ...]] = {
    model.Retry: (
        _words(words_of_values.strategies),
        {"enum": list(words_of_values.presets)},
        {"type": "integer"},
        {"const": False},
    ),
    model.Join: (_words(words_of_values.join_kinds), {"type": "integer"}),
    model.Cache: ({"type": "boolean"}, DURATION),
    model.RateLimit: ({"type": "number"},),
    model.Resilience: (_text,),
    model.Checkpoint: (_words(words_of_values.checkpoint_policies),),
    model.FallbackAction: (_text,),
    model.TriggerSpec: (_text,),
    model.Invariant: (_text,),
}
# Keys of other parts go to their config.
_open = (model.FallbackAction, model.TriggerSpec)
# Which keys, besides the canonical one, say what is required.
_instead: dict[tuple[Struct, str], tuple[str, ...]] = {
    (model.Workflow, "id"): ("name",),
    (model.Node, "type"): ("handler", "code", "path", "runtime", "action", "data"),
}


class _Schemas:
    """One document: its parts become `$defs`, each made when it is first met."""

    def __init__(self) -> None:
        self.parts: dict[str, Schema] = {}

    def document(self, struct: Struct, title: str) -> Schema:
        self.ref(struct)
        return {"$schema": DRAFT, "title": title, "$ref": f"#/$defs/{struct.__name__}", "$defs": self.parts}

    def ref(self, struct: Struct) -> Schema:
        if struct.__name__ not in self.parts:
            self.parts[struct.__name__] = {}
            self.parts[struct.__name__].update(self.part(struct, _keys[struct]))
        return {"$ref": f"#/$defs/{struct.__name__}"}

    def part(self, struct: Struct, words: Words) -> Schema:
        means = meanings(struct)
        info = inspect.type_info(struct)
        assert isinstance(info, inspect.StructType)
        properties: Schema = {}
        for field in info.fields:
            properties[field.encode_name] = self.field(struct, field, means.get(field.name, ""), words)
        for name, text in words.extra.items():
            properties.setdefault(name, {"description": text, **_values[struct, name]})
        patterns = {
            _pattern((name, *words.spellings.get(name, ()))): {"$ref": f"#/$defs/{struct.__name__}/properties/{name}"}
            for name in properties
        }
        schema: Schema = {"type": "object", "description": meaning(struct), "properties": properties}
        schema["patternProperties"] = patterns
        schema["additionalProperties"] = struct in _open
        needed = [self.needed(struct, field.encode_name, words) for field in info.fields if field.required]
        if struct is model.Node:
            needed = needed[1:]  # the id may be the key that the node stands under: see `nodes`
            needed += self.kinds()
        return {**schema, **({"allOf": needed} if needed else {})}

    def needed(self, struct: Struct, name: str, words: Words) -> Schema:
        """That a key is there, in one of its spellings, or another one that says the same."""
        names = (name, *_instead.get((struct, name), ()))
        spelled = [form for one in names for word in (one, *words.spellings.get(one, ())) for form in _forms(word)]
        return _either(*({"required": [form]} for form in dict.fromkeys(spelled)))

    def field(self, struct: Struct, field: inspect.Field, text: str, words: Words) -> Schema:
        name = field.encode_name
        schema = _values.get((struct, name))
        if schema is None and name in duration_fields.get(struct, ()):
            schema = DURATION
        if schema is None:
            schema = self.nodes() if name == "nodes" else self.value(field.type, ranges.get(struct, {}).get(name))
        if _optional(field.type) and schema:
            schema = _either(schema, {"type": "null"})
        also = words.spellings.get(name, ())
        described: Schema = {
            "description": text + (f" Also written {', '.join(f'`{word}`' for word in also)}." if also else "")
        }
        default = field.default
        if isinstance(default, str | int | float):
            is_duration = name in duration_fields.get(struct, ())
            described["default"] = format_duration(int(default)) if is_duration else default
        return {**described, **schema}

    def value(self, kind: Any, limits: tuple[float, float | None] | None = None) -> Schema:
        if isinstance(kind, inspect.UnionType):
            options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
            return self.value(options[0], limits) if len(options) == 1 else _either(*map(self.value, options))
        if isinstance(kind, inspect.StructType):
            short = _shorthands.get(kind.cls)
            return _either(self.ref(kind.cls), *short) if short else self.ref(kind.cls)
        if isinstance(kind, inspect.VarTupleType):
            return {"type": "array", "items": self.value(kind.item_type)}
        if isinstance(kind, inspect.DictType):
            inner = self.value(kind.value_type)
            return {"type": "object", **({"additionalProperties": inner} if inner else {})}
        if isinstance(kind, inspect.LiteralType):
            return {"enum": list(kind.values)}
        named: dict[Any, str] = {inspect.StrType: "string", inspect.IntType: "integer", inspect.FloatType: "number"}
        if type(kind) in named:
            least, most = limits or (None, None)
            bounds = {"minimum": least, "maximum": most}
            return {"type": named[type(kind)], **{key: bound for key, bound in bounds.items() if bound is not None}}
        return {"type": "boolean"} if isinstance(kind, inspect.BoolType) else {}

    def nodes(self) -> Schema:
        """A list of nodes, each with an id, or an object of them by id."""
        node = self.ref(model.Node)
        with_id = {"allOf": [node, self.needed(model.Node, "id", _keys[model.Node])]}
        return _either({"type": "array", "items": with_id}, {"type": "object", "additionalProperties": node})

    def kinds(self) -> list[Schema]:
        """What the kinds of node are told whose keys are all known, and the graphs within them."""
        body = _either(self.ref(model.Body), self.nodes())
        graphs = {
            "body": body,
            "branches": _either({"type": "array", "items": body}, {"type": "object", "additionalProperties": body}),
        }
        return [self.kind(name, keys, graphs) for name, keys in KIND_KEYS.items()]

    def kind(self, name: str, keys: dict[str, Key], graphs: dict[str, Schema]) -> Schema:
        spelled = Choice({name: " ".join(vocabulary.node_type_choice.spelled[name])})
        known = {key: {"description": told.meaning, **graphs.get(key, told.schema)} for key, told in keys.items()}
        patterns = {
            _pattern((key, *told.also.split())): graphs.get(key, told.schema)
            for key, told in keys.items()
            if told.schema or key in graphs
        }
        within = {key: graphs[key] for key in keys if key in graphs}
        config = {"properties": known, "patternProperties": patterns}
        return {
            "if": {"properties": {"type": _words(spelled)}, "required": ["type"]},
            "then": {"properties": {**within, "config": config}},
        }


def _optional(kind: Any) -> bool:
    return isinstance(kind, inspect.UnionType) and any(isinstance(one, inspect.NoneType) for one in kind.types)
