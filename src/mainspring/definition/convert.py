"""A canonical tree to the model. msgspec stops at the first error, so on failure all of them are searched for."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from mainspring.definition.bodies import body_types, body_ways, tree_at, with_tree
from mainspring.definition.bounds import findings_max, hints_max
from mainspring.definition.findings import Finding, Pointer, did_you_mean, finding, keys_hint
from mainspring.definition.model import Body, Connection, Node, Workflow
from mainspring.definition.trees import plain_tree

Model = TypeVar("Model", bound=msgspec.Struct)


def convert(tree: Any, struct: type[Model]) -> tuple[Model | None, list[Finding]]:
    """The model, and all that keeps the tree from being one (then the model is what remains without that)."""
    model, faults = _converted(tree, struct)
    if isinstance(model, Workflow | Body) and any(node.type in body_types for node in model.nodes):
        model = replace(
            model, nodes=tuple(_settled(node, ("nodes", at), faults) for at, node in enumerate(model.nodes))
        )
    return model, faults


def _settled(node: Node, at: Pointer, faults: list[Finding]) -> Node:
    """The same node, whose bodies have their one form; what keeps them from it is told too."""
    config = node.config
    for way in body_ways(node.type, config):
        body, wrong = convert(tree_at(config, way), Body)
        faults.extend(replace(fault, pointer=(*at, "config", *way, *fault.pointer)) for fault in wrong)
        if body is not None:
            config = with_tree(config, way, plain_tree(body))
    return node if config is node.config else replace(node, config=config)


def _converted(tree: Any, struct: type[Model]) -> tuple[Model | None, list[Finding]]:
    try:
        return msgspec.convert(tree, struct), []
    except (msgspec.ValidationError, RecursionError) as error:
        import msgspec.inspect as inspect

        search = _Search(inspect)
        search.check(tree, inspect.type_info(struct), ())
        # The search knows the model's types only; should it find nothing, msgspec's own words are better than none.
        if not search.findings:
            return None, [finding("MS102", str(error))]
        return _salvage(tree, struct, search.findings), search.findings


def _salvage(tree: Any, struct: type[Model], faults: list[Finding]) -> Model | None:
    """What is left of the model without its faulty keys, so that the graph can be checked in the same go."""
    for fault in faults:
        parent = tree
        for part in fault.pointer[:-1]:
            parent = parent[part]
        # An element cannot be left out: all pointers behind it would lead astray. A missing key cannot be made up.
        if fault.code == "MS101" or not isinstance(parent, dict):
            return None
        parent.pop(fault.pointer[-1], None)
    try:
        return msgspec.convert(tree, struct)
    except msgspec.ValidationError:
        return None


class _Search:
    def __init__(self, inspect: Any) -> None:
        self.inspect = inspect
        self.findings: list[Finding] = []

    def report(self, code: str, message: str, pointer: Pointer, hint: str | None = None) -> None:
        self.findings.append(finding(code, message, pointer, hint))

    def check(self, value: Any, expected: Any, at: Pointer) -> None:
        inspect = self.inspect
        kind = type(expected)
        if kind is inspect.AnyType:
            return
        if kind is inspect.UnionType:
            self.union(value, expected, at)
        elif kind is inspect.StructType:
            self.struct(value, expected, at)
        elif kind is inspect.LiteralType:
            self.literal(value, expected, at)
        elif kind is inspect.VarTupleType:
            self.sequence(value, expected, at)
        elif kind is inspect.DictType and isinstance(value, dict):
            for key, item in value.items():
                self.check(item, expected.value_type, (*at, key))
        elif not _fits(value, expected, inspect):
            self.wrong(value, expected, at)

    def union(self, value: Any, expected: Any, at: Pointer) -> None:
        inspect = self.inspect
        if value is None and any(type(option) is inspect.NoneType for option in expected.types):
            return
        options = [option for option in expected.types if type(option) is not inspect.NoneType]
        if len(options) == 1:
            self.check(value, options[0], at)
        elif not any(_fits(value, option, inspect) for option in options):
            names = " or ".join(_name(option, inspect) for option in options)
            self.report("MS102", f"`{_last(at)}` must be {names}, not {_kind(value)}", at)

    def literal(self, value: Any, expected: Any, at: Pointer) -> None:
        if isinstance(value, str):
            if value not in expected.values:
                meant = did_you_mean(value, expected.values) if len(self.findings) < hints_max else None
                hint = meant or f"it is one of {', '.join(expected.values)}"
                self.report("MS103", f"unknown value `{value[:80]}` for `{_last(at)}`", at, hint)
        else:
            self.wrong(value, expected, at)

    def sequence(self, value: Any, expected: Any, at: Pointer) -> None:
        if not isinstance(value, list):
            self.wrong(value, expected, at)
            return
        for index, item in enumerate(value):
            # One more than is listed tells that there are more.
            if len(self.findings) > findings_max:
                return
            self.check(item, expected.item_type, (*at, index))

    def struct(self, value: Any, expected: Any, at: Pointer) -> None:
        what = _struct_name(expected)
        if not isinstance(value, dict):
            hint = "write it as `{source: a, target: b}`" if expected.cls is Connection else None
            self.report("MS102", f"{what} must be an object, not {_kind(value)}", at, hint)
            return
        fields = {field.encode_name: field for field in expected.fields}
        for key, item in value.items():
            if len(self.findings) > findings_max:
                return
            if key in fields:
                self.check(item, fields[key].type, (*at, key))
            else:
                hint = keys_hint(key, list(fields)) if len(self.findings) < hints_max else None
                if expected.cls is Node and not (hint or "").startswith(("did you mean", "put a space")):
                    hint = f"what a kind of node is told stands in its config: `config: {{{key[:80]}: …}}`"
                self.report("MS104", f"unknown key `{key[:80]}` in {what}", (*at, key), hint)
        for name, field in fields.items():
            if field.required and name not in value:
                kind_missing = expected.cls is Node and name == "type"
                hint = (
                    "such as `type: function`; `mainspring nodes` lists the kinds there are" if kind_missing else None
                )
                self.report("MS101", f"{what} needs `{name}`", at, hint)

    def wrong(self, value: Any, expected: Any, at: Pointer) -> None:
        wanted = _name(expected, self.inspect)
        hint = (
            "write it in `[ ]`, or each item after a `- `" if wanted == "a list" and isinstance(value, dict) else None
        )
        self.report("MS102", f"`{_last(at)}` must be {wanted}, not {_kind(value)}", at, hint)


def _fits(value: Any, expected: Any, inspect: Any) -> bool:
    kind = type(expected)
    if kind is inspect.IntType:
        return type(value) is int or (type(value) is float and value.is_integer())
    if kind is inspect.FloatType:
        return type(value) in (int, float)
    wanted = {inspect.StrType: str, inspect.BoolType: bool, inspect.DictType: dict}.get(kind)
    return wanted is None or type(value) is wanted


def _name(expected: Any, inspect: Any) -> str:
    names = {
        inspect.IntType: "a whole number",
        inspect.FloatType: "a number",
        inspect.StrType: "text",
        inspect.BoolType: "true or false",
        inspect.DictType: "an object",
        inspect.VarTupleType: "a list",
        inspect.LiteralType: "a word",
    }
    return names.get(type(expected), "another type")


def _struct_name(expected: Any) -> str:
    names = {"TriggerSpec": "a trigger", "Resources": "resources", "Resilience": "resilience"}
    names |= {"ResilienceConfig": "a resilience file", "ResilienceSpec": "the spec of a resilience file"}
    name = expected.cls.__name__
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return names.get(name, f"a {spaced}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    if isinstance(value, str):
        return f"the text `{value[:40]}`"
    return "a list" if isinstance(value, list) else "an object"


def _last(at: Pointer) -> str:
    name = next((part for part in reversed(at) if isinstance(part, str)), "workflow")
    return name if not at or isinstance(at[-1], str) else f"{name}[{at[-1]}]"
