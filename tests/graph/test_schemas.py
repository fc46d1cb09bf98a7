"""Typed inputs and outputs (issue 3): what is wrong with a JSON Schema, and what a value is told that does not match it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainspring.definition.findings import Finding, codes
from mainspring.graph import schemas
from mainspring.graph.check import inspect_text
from mainspring.graph.check_schemas import STANDARD, faults_of, schema_bytes_max, schema_depth_max
from mainspring.graph.schemas import Check, path_text

PRICED = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "pattern": "^o-[0-9]+$"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"price": {"minimum": 0}}}},
    },
}


def check(schema: dict[str, Any], value: Any) -> tuple[str, ...]:
    """What is told of a value."""
    return Check(schema, "input")(msgspec.json.encode(value))


def found(schema: dict[str, Any]) -> list[tuple[str, tuple[str | int, ...]]]:
    """The codes of what is wrong with a schema, each with its place."""
    return [(fault.code, fault.pointer) for fault in faults_of(schema)]


# --- values ---------------------------------------------------------------------------------------------------------


def test_a_value_that_matches() -> None:
    assert check(PRICED, {"id": "o-1", "items": [{"price": 0}]}) == ()


def test_each_fault_has_its_path() -> None:
    told = check(PRICED, {"id": "x", "items": [{}, {}, {"price": -1}]})
    assert sorted(told) == [
        'input.id: "x" does not match "^o-[0-9]+$"',
        "input.items[2].price: -1 is less than the minimum of 0",
    ]


def test_the_value_as_a_whole() -> None:
    assert check({"type": "object"}, [1]) == ('input: [1] is not of type "object"',)


def test_names_that_are_no_words_are_quoted() -> None:
    assert path_text(["a-b", 0, "odd name", "x.y"]) == '.a-b[0]["odd name"]["x.y"]'


def test_the_closest_of_several_schemas_is_told() -> None:
    choice = {"oneOf": [{"type": "number"}, {"properties": {"k": {"type": "string"}}, "type": "object"}]}
    (told,) = check(choice, {"k": 4})
    assert told.endswith('(closest: input.k: 4 is not of type "string")')


def test_formats_are_checked() -> None:
    assert check({"format": "date"}, "2026-02-30") and not check({"format": "date"}, "2026-02-28")


def test_long_values_are_not_told_whole() -> None:
    (told,) = check({"maxLength": 3}, "x" * 50_000)
    assert len(told) < schemas.fault_length_max + 20
    assert told.endswith("is longer than 3 characters")


def test_many_faults_are_counted() -> None:
    told = check({"items": {"type": "string"}}, list(range(50)))
    assert len(told) == schemas.faults_listed_max + 1
    assert told[-1] == f"… and {50 - schemas.faults_listed_max} more"


@pytest.mark.timed
def test_of_a_large_value_only_the_first_fault_is_looked_for() -> None:
    began = time.perf_counter()
    told = check({"items": {"type": "string"}}, [1] * 1_000_000)
    assert len(told) == 2 and "only its first fault" in told[1]
    assert time.perf_counter() - began < 2


TREE = {"anyOf": [{"type": "integer"}, {"items": {"$ref": "#"}, "type": "array", "unevaluatedItems": False}]}


@pytest.mark.parametrize("depth", [schemas.value_depth_max + 1, 500, 100_000])
def test_a_value_nested_too_deeply_is_refused_and_ends_no_process(depth: int) -> None:
    (told,) = Check(TREE, "output")(b"[" * depth + b'"x"' + b"]" * depth)
    assert told.startswith("output: the value is nested ")


def test_a_value_as_deep_as_may_be() -> None:
    depth = schemas.value_depth_max
    assert Check(TREE, "output")(b"[" * depth + b"1" + b"]" * depth) == ()
    assert len(Check(TREE, "output")(b"[" * depth + b'"x"' + b"]" * depth)) == 1
    assert Check({"type": "array"}, "output")(b"[" * 900 + b"]" * 900) == (), "nothing follows the value"


def test_the_deepest_schema_and_the_deepest_value_do_not_exhaust_the_stack() -> None:
    """In a process of its own: if they did, it would end it."""
    script = (
        "from mainspring.graph.check_schemas import faults_of, schema_unfolded_depth_max as most\n"
        "from mainspring.graph.schemas import Check, value_depth_max as depth\n"
        "parts = {'p0': {'anyOf': [{'items': {'$ref': '#'}, 'unevaluatedItems': False}, {'type': 'integer'}]}}\n"
        "def schema(n):\n"
        "    more = {f'p{i + 1}': {'allOf': [{'$ref': f'#/$defs/p{i}'}]} for i in range(n)}\n"
        "    return {'$ref': f'#/$defs/p{n}', '$defs': parts | more}\n"
        "n = max(n for n in range(most) if not faults_of(schema(n)))\n"
        "assert faults_of(schema(n + 1))[0].code == 'MS242'\n"
        "print(n, Check(schema(n), 'input')(b'[' * depth + b'\"x\"' + b']' * depth))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 20


@pytest.mark.timed
def test_a_hostile_value_against_a_pattern_takes_linear_time() -> None:
    began = time.perf_counter()
    assert check({"pattern": "^(a+)+$"}, "a" * 50_000 + "!")
    assert time.perf_counter() - began < 1


def test_a_schema_that_was_never_checked_fails_the_value_and_not_the_process() -> None:
    (told,) = Check({"type": "objekt"}, "output")(b"1")
    assert told.startswith("output: the schema cannot be used: ")


# --- schemas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        {},
        PRICED,
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
        {"$schema": STANDARD, "$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}},
        {"$ref": "#here", "$defs": {"a": {"$anchor": "here", "properties": {"next": {"$ref": "#"}}}}},
        {"$id": "urn:me", "$ref": "urn:part", "$defs": {"part": {"$id": "urn:part", "type": "integer"}}},
    ],
    ids=lambda schema: str(schema)[:30],
)
def test_a_schema_that_can_be_used(schema: dict[str, Any]) -> None:
    assert faults_of(schema) == []


@pytest.mark.parametrize(
    ("schema", "code", "pointer"),
    [
        ({"properties": {"a": {"minimum": "3"}}}, "MS240", ("properties", "a", "minimum")),
        ({"type": "objekt"}, "MS240", ("type",)),
        ({"not": 3}, "MS240", ("not",)),
        ({"$schema": "http://example.com/own"}, "MS240", ("$schema",)),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "objekt"}, "MS240", ("type",)),
        ({"properties": {"a": {"$ref": "#/$defs/nope"}}}, "MS241", ("properties", "a", "$ref")),
        ({"items": {"$ref": "#nope"}}, "MS241", ("items", "$ref")),
        ({"$ref": "http://example.com/order.json"}, "MS241", ("$ref",)),
        ({"$ref": "urn:p", "$defs": {"p": {"$id": "urn:p", "$ref": "#/$defs/q"}}}, "MS241", ("$defs", "p", "$ref")),
        ({"prefixItems": [{"$ref": "#/prefixItems/1"}]}, "MS241", ("prefixItems", 0, "$ref")),
        ({"$ref": "file:///etc/hostname"}, "MS241", ("$ref",)),
        ({"enum": ["x" * schema_bytes_max]}, "MS242", ()),
        ({"pattern": "("}, "MS243", ("pattern",)),
        ({"properties": {"a": {"pattern": "(?=x)y"}}}, "MS243", ("properties", "a", "pattern")),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "MS243", ("properties", "a", "pattern")),
        ({"pattern": "(a{1000}){1000}"}, "MS243", ("pattern",)),
        ({"patternProperties": {"(?<!a)b": {}}}, "MS243", ("patternProperties", "(?<!a)b")),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_schema_that_cannot_be_used(schema: dict[str, Any], code: str, pointer: tuple[str | int, ...]) -> None:
    assert found(schema) == [(code, pointer)]


def test_all_that_is_wrong_is_told_at_once() -> None:
    schema = {"type": "objekt", "required": "id", "properties": {"a": {"minimum": "x"}, "b": {"pattern": "("}}}
    assert sorted(found(schema)) == [
        ("MS240", ("properties", "a", "minimum")),
        ("MS240", ("required",)),
        ("MS240", ("type",)),
        ("MS243", ("properties", "b", "pattern")),
    ]


def test_data_within_a_schema_is_no_schema() -> None:
    data = {"pattern": "(", "$ref": "#/nowhere"}
    assert faults_of({"default": data, "const": data, "enum": [data], "examples": [data]}) == []


def test_a_property_may_be_called_like_a_keyword() -> None:
    assert faults_of({"properties": {"pattern": {"type": "string"}, "$ref": {"type": "string"}}}) == []


def test_a_name_in_a_reference_may_be_escaped() -> None:
    assert faults_of({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "string"}}}) == []


def test_a_misspelled_type_is_recognised() -> None:
    (fault,) = faults_of({"type": "strin"})
    assert fault.hint == "did you mean `string`?"


def test_depth_has_a_bound() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(schema_depth_max // 2):
        schema = {"properties": {"a": schema}}
    (fault,) = faults_of(schema)
    assert fault.code == "MS242" and "schema_depth_max" in fault.message
    assert faults_of(schema["properties"]["a"]) == []


@pytest.mark.timed
def test_references_that_double_have_a_bound() -> None:
    parts: dict[str, Any] = {"p40": {"type": "integer"}}
    for number in range(40):
        parts[f"p{number}"] = {"allOf": [{"$ref": f"#/$defs/p{number + 1}"}, {"$ref": f"#/$defs/p{number + 1}"}]}
    began = time.perf_counter()
    (fault,) = faults_of({"$defs": parts, "$ref": "#/$defs/p0"})
    assert fault.code == "MS242" and "schema_unfolded_max" in fault.message
    assert time.perf_counter() - began < 1


def test_long_chains_of_references_have_a_bound() -> None:
    for length in (200, 5_000):
        parts: dict[str, Any] = {f"p{number}": {"$ref": f"#/$defs/p{number + 1}"} for number in range(length)}
        (fault,) = faults_of({"$defs": {**parts, f"p{length}": {}}, "$ref": "#/$defs/p0"})
        assert fault.code == "MS242" and "schema_unfolded_depth_max" in fault.message


def test_what_is_no_json_is_no_schema() -> None:
    assert found({"enum": [object()]}) == [("MS240", ())]


# --- in a definition ------------------------------------------------------------------------------------------------

ORDER = """\
id: order
nodes:
  - id: charge
    type: function
    handler: shop:charge
    inputSchema:
      type: object
      properties:
        amount: {type: nummber}
    outputSchema:
      properties: {to: {$ref: "#/$defs/adress"}}
      $defs: {address: {type: string}}
inputSchema:
  properties:
    id:
      pattern: "^(?!x)"
outputSchema: {type: object}
"""


def test_validate_places_what_is_wrong_with_a_schema() -> None:
    """D7: validation on load."""
    definition, told = inspect_text(ORDER, name="order.yaml")
    assert definition is None
    assert [(one.code, one.line, one.column) for one in told] == [
        ("MS240", 9, 24),
        ("MS241", 11, 31),
        ("MS243", 16, 16),
    ]
    assert told[0].hint == "did you mean `number`?"


def test_a_cache_on_a_node_without_work_is_said() -> None:
    text = "id: w\nnodes:\n  - {id: a, type: log, cache: {ttl: 1h}}\n"
    definition, told = inspect_text(text)
    assert definition is not None
    assert [(one.code, one.severity) for one in told] == [("MS244", "warning")]


def test_every_code_is_explained() -> None:
    for code in ("MS240", "MS241", "MS242", "MS243", "MS244"):
        assert len(codes[code].explanation) > 60
        assert isinstance(Finding(code, codes[code].severity, "x"), Finding)


def test_the_library_is_imported_only_for_a_definition_with_schemas(tmp_path: Path) -> None:
    plain = "id: w\nnodes:\n  - {id: a, type: log}\n"
    script = (
        "import sys\nfrom mainspring.graph.check import loads\nfrom mainspring.graph.plan import Plan\n"
        "for text in sys.argv[1:]:\n"
        "    Plan(loads(text).workflow); print('jsonschema_rs' in sys.modules)\n"
    )
    given = [plain, plain + "inputSchema: {type: object}\n"]
    done = subprocess.run([sys.executable, "-c", script, *given], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
