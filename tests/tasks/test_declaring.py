"""N8: @ms.node_kind, and what is said of nodes of such a kind before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from msgspec import Meta, Struct
from tests.tasks.kinds_kit import own_kinds

import mainspring as ms
from mainspring.definition.findings import codes
from mainspring.graph.check import check_workflow, inspect_text
from mainspring.graph.custom_kinds import NodeKind, find, ports_of
from mainspring.tasks.checking import check_tasks

__all__ = ["own_kinds"]


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Reply(Struct):
    to: str
    tries: int = 1


class Config(Struct):
    channel: Annotated[str, Meta(min_length=2, description="where to post")]
    level: Level = Level.LOW
    reply: Reply | None = None
    headers: dict[str, str] = {}


class Message(Struct):
    text: str
    size: int = 0


def declared(name: str = "slack.post", **more: Any) -> NodeKind:
    @ms.node_kind(name, **more)
    async def post(input: Message, config: Config) -> None:
        """Posts a message.

        To a channel.
        """

    found = find(name)
    assert isinstance(found, NodeKind) and found.handler is post
    return found


# --- the decorator


def test_the_function_comes_back_and_is_known_by_its_name() -> None:
    @ms.node_kind("shop.double", ports=["large"], icon="×")
    def double(input: int) -> Any:
        return input * 2

    assert double(4) == 8
    found = find("shop.double")
    assert isinstance(found, NodeKind) and (found.ports, found.icon, found.what) == (("large",), "×", "")
    assert ports_of("shop.double") == ("large",) and ports_of("shop.triple") is None and ports_of("script") is None


def test_what_it_does_is_the_first_line_of_its_docstring() -> None:
    assert declared().what == "Posts a message"
    assert declared(what="tells it").what == "tells it"


@pytest.mark.parametrize("name", ["", "a b", ".post", "post.", "x" * 81, "1st", "a..b", "post!"])
def test_a_name_must_be_one(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a node kind"):
        declared(name)


@pytest.mark.parametrize("name", ["http", "forEach", "for_each", "HTTP", "sendEmail", "python", "bash"])
def test_what_mainspring_means_something_by_is_taken(name: str) -> None:
    with pytest.raises(ValueError, match=r"built-in kind|the runtime of a script"):
        declared(name)
    assert find(name) is None


def test_two_functions_cannot_have_one_name_but_one_can_be_declared_again() -> None:
    declared()
    declared()  # the same place in the same file, as after a reload

    with pytest.raises(ValueError, match=r"two node kinds want the name 'slack.post': .*declared.* and .*another"):

        @ms.node_kind("slack.post")
        def another() -> None: ...


def test_it_needs_a_name() -> None:
    with pytest.raises(TypeError, match=r'@ms.node_kind\("slack.post"\)'):
        ms.node_kind(lambda: None)  # type: ignore[arg-type]


def keyed(text: str) -> None: ...
def star(*input: Any) -> None: ...
def stars(**config: Any) -> None: ...
def only_by_place(input: Any, /) -> None: ...
def twice(context: ms.TaskContext, ctx: Any) -> None: ...


@pytest.mark.parametrize("function", [keyed, star, stars, only_by_place, twice])
def test_its_function_takes_input_config_and_context(function: Any) -> None:
    with pytest.raises(TypeError, match=r"takes `input`, `config` and `context` .* and not `"):
        ms.node_kind("slack.post")(function)


def test_parameters_with_a_default_are_the_functions_own() -> None:
    @ms.node_kind("slack.post")
    def post(context: Any, retries: int = 3) -> None: ...

    assert isinstance(find("slack.post"), NodeKind)


@pytest.mark.parametrize("config", [5, int, list[str], "Config", Level])
def test_a_config_is_a_type_with_keys_or_a_schema(config: Any) -> None:
    with pytest.raises(TypeError, match="is a msgspec Struct, a dataclass, a TypedDict or a JSON Schema"):
        declared(config=config)


def test_a_schema_is_json() -> None:
    with pytest.raises(TypeError, match="is no JSON"):
        declared(config={"default": object()})


def test_an_annotation_that_cannot_be_read_is_told() -> None:
    class Local(Struct):
        a: int

    def post(config: Local) -> None: ...

    with pytest.raises(TypeError, match="the annotation of `config`, 'Local', cannot be read here"):
        ms.node_kind("slack.post")(post)
    ms.node_kind("slack.post", config=Local)(post)


@pytest.mark.parametrize("ports", [["a", "a"], [""], [3]])
def test_ports_are_texts(ports: Any) -> None:
    with pytest.raises(TypeError, match="are texts, each once"):
        declared(ports=ports)


@dataclass
class AsDataclass:
    folder: Path
    tags: list[str] = field(default_factory=list)


class AsDict(TypedDict, total=False):
    folder: str


def test_the_schema_of_a_config() -> None:
    assert declared(config=AsDict).schema["properties"] == {"folder": {"type": "string"}}
    schema = declared(config=AsDataclass).schema
    assert (schema["required"], schema["additionalProperties"]) == (["folder"], False)
    assert schema["properties"]["folder"] == {"type": "string"}
    own = {"type": "object", "required": ["a"]}
    assert declared(config=own).schema == own
    assert declared().config is Config, "the annotation's"


# --- what is said of a node


def said(config: str, more: str = "") -> list[tuple[str, str, str | None]]:
    """What is found of a node with this config: the code, the way into the node, the hint."""
    text = f"id: w\nnodes: [{{id: n, type: slack.post, input: {{text: hi}}, config: {config}}}]{more}"
    return [(one.code, ".".join(map(str, one.pointer[2:])), one.hint) for one in inspect_text(text)[1]]


@pytest.mark.parametrize(
    ("config", "way", "hint"),
    [
        ("{}", "config", "`channel`: where to post"),
        ("{channel: a}", "config.channel", None),
        ("{channel: 5}", "config.channel", None),
        ("{chanel: abc}", "config.chanel", "did you mean `channel`?"),
        (
            "{channel: abc, xyz: 1}",
            "config.xyz",
            "it takes channel, level, reply, headers",
        ),
        ("{channel: abc, level: middle}", "config.level", None),
        ("{channel: abc, reply: {}}", "config.reply", None),
        ("{channel: abc, reply: {to: a, tries: x}}", "config.reply.tries", None),
        ("{channel: abc, reply: {to: a, tris: 1}}", "config.reply.tris", "did you mean `tries`?"),
        ("{channel: abc, headers: {a: 1}}", "config.headers.a", None),
        # What is certain although a value in it is not known.
        ('{chanel: "${ input.c }"}', "config.chanel", "did you mean `channel`?"),
        ('{channel: abc, level: "${ input.c }", xyz: 1}', "config.xyz", "it takes channel, level, reply, headers"),
        ('{channel: abc, reply: {to: "${ input.c }", tries: x}}', "config.reply.tries", None),
        ('{channel: abc, reply: "to ${ input.c }"}', None, None),
        ('{channel: abc, headers: "to ${ input.c }"}', "config.headers", None),
    ],
)
def test_a_config_is_held_to_its_schema(config: str, way: str | None, hint: str | None) -> None:
    declared()
    assert said(config) == ([] if way is None else [("MS271", way, hint)])
    assert codes["MS271"].severity == "error"


@pytest.mark.parametrize(
    "config",
    [
        "{channel: abc}",
        "{channel: abc, level: high, reply: {to: me, tries: 3}, headers: {a: b}}",
        "{channel: abc, reply: null}",
        '{channel: "${ input.c }", level: "${ input.l }", reply: {to: "${ input.t }", tries: "${ input.n }"}}',
        '{channel: "x${ input.c }", reply: "${ input.r }"}',
    ],
)
def test_a_config_that_is_right_has_nothing_said(config: str) -> None:
    declared()
    assert said(config) == []


def test_what_depends_on_a_value_that_is_not_known_is_left_to_the_run() -> None:
    schema = {
        "type": "object",
        "properties": {"mode": {"enum": ["file", "mail"]}, "file": {"type": "string"}},
        "if": {"properties": {"mode": {"const": "file"}}},
        "then": {"$ref": "#/$defs/with_file"},
        "$defs": {"with_file": {"required": ["file"]}},
    }
    declared(config=schema)
    assert said("{mode: file}") == [("MS271", "config", None)]
    assert said('{mode: "${ input.mode }"}') == [] == said("{mode: mail}")


def test_a_kind_that_takes_no_config_takes_no_key() -> None:
    @ms.node_kind("slack.post")
    def post() -> None: ...

    assert said("{a: 1}") == [("MS271", "config.a", "it takes none")]


def test_a_kind_that_takes_its_config_bare_takes_all() -> None:
    @ms.node_kind("slack.post")
    def post(config: dict[str, Any]) -> None: ...

    assert said("{a: {b: 1}}") == []


def test_a_schema_that_is_wrong_itself_is_its_authors_fault() -> None:
    declared(config={"type": "objekt"})
    assert said("{}") == [("MS272", "type", "whoever wrote the kind must mend it")]


def test_a_port_that_is_not_declared() -> None:
    declared(ports=("later",))
    more = "\nconnections: [{source: n, target: m, sourcePort: %s}]"
    text = 'id: w\nnodes: [{id: n, type: slack.post, config: {channel: "abc"}}, {id: m, type: log}]' + more
    assert ("MS224", "did you mean `later`?") in [(one.code, one.hint) for one in inspect_text(text % "latr")[1]]
    assert inspect_text(text % "later")[1] == ()


def test_a_misspelled_type_is_told_what_it_is_like() -> None:
    declared()
    (found,) = inspect_text("id: w\nnodes: [{id: n, type: slack.pots}]")[1]
    assert (found.code, found.hint) == ("MS205", "did you mean `slack.post`?")


def test_nodes_in_python_by_name_and_by_function() -> None:
    kind = declared()
    config = {"channel": "abc"}
    by_name = ms.Workflow("w", nodes=[ms.Node("n", "slack.post", config=config, input={"text": "a"})])
    by_function = ms.Workflow("w", nodes=[ms.Node("n", kind.handler, config=config, input={"text": "a"})])
    assert by_name.workflow == by_function.workflow
    assert check_workflow(by_name.workflow) == ()
    with pytest.raises(ms.DefinitionError, match=r"needs `channel`"):
        ms.Workflow("w", nodes=[ms.Node("n", kind.handler)])


# --- what a schema cannot say


def found_by_tasks(**node: Any) -> list[tuple[str, str]]:
    definition = ms.Workflow("w", nodes=[{"id": "n", "type": "slack.post", "config": {"channel": "abc"}, **node}])
    return [(one.code, ".".join(map(str, one.pointer[2:]))) for one, _ in check_tasks(definition.workflow, "").all]


@pytest.mark.parametrize(
    ("input", "found"),
    [
        ({"text": "a"}, []),
        ({"text": "${ input.t }", "size": "${ input.s }"}, []),
        ("${ input }", []),
        ({"text": 3}, [("MS232", "input.text")]),
        ({"txt": "a"}, [("MS230", "input.txt")]),
        ({"text": "a", "colour": "red"}, [("MS231", "input.colour")]),
        ("just text", [("MS232", "input")]),
    ],
)
def test_a_written_input_is_held_to_the_functions_annotation(input: Any, found: list[tuple[str, str]]) -> None:
    declared()
    assert found_by_tasks(input=input) == found


class Even(Struct):
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("an even number is wanted")


def test_what_a_config_says_of_itself_is_heard() -> None:
    declared(config=Even)
    assert found_by_tasks(config={"number": 3}) == [("MS271", "config")]
    assert found_by_tasks(config={"number": 2}) == []


def test_a_function_that_no_process_can_find() -> None:
    declared(process=True)
    assert found_by_tasks() == [("MS235", "type")]
