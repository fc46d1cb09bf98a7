"""D8: DOT, read back with the part of Graphviz's grammar that we write."""

from __future__ import annotations

import re

from hypothesis import given

from mainspring.definition.model import Workflow
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export import words
from mainspring.graph.export.dot import dot
from tests.graph.drawn import any_graphs
from tests.graph.hostile import HOSTILE, hostile_workflow
from tests.graph.test_export_text import rich

# Within quotes only `\"` is an escape to Graphviz's scanner; a backslash before anything else stays, with what follows.
TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(->|[{}\[\]=,;])|(\w+))', re.DOTALL)


class Reader:
    """graph: digraph ID { (ID | graph | node | edge) [-> ID] [ [ name = value, … ] ] ; … }"""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            assert found, text[at : at + 40]
            at = found.end()
            quoted, sign, word = found.groups()
            self.tokens.append(("id", quoted) if quoted is not None else ("sign", sign) if sign else ("word", word))
        self.tokens.reverse()
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: list[tuple[str, str, dict[str, str]]] = []
        self.read()

    def take(self, kind: str, *values: str) -> str:
        token = self.tokens.pop()
        assert token[0] == kind and (not values or token[1] in values), (token, kind, values)
        return token[1]

    def read(self) -> None:
        self.take("word", "digraph")
        self.name = label(self.take("id"))
        self.take("sign", "{")
        while self.tokens[-1] != ("sign", "}"):
            if self.tokens[-1][0] == "word":
                self.take("word", "graph", "node", "edge")
                self.attributes()
            else:
                self.statement()
            self.take("sign", ";")
        self.take("sign", "}")
        assert not self.tokens

    def statement(self) -> None:
        first = label(self.take("id"))
        if self.tokens[-1] == ("sign", "->"):
            self.take("sign")
            second = label(self.take("id"))
            self.edges.append((first, second, self.attributes()))
        else:
            assert first not in self.nodes
            self.nodes[first] = self.attributes()

    def attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.tokens[-1] != ("sign", "["):
            return found
        self.take("sign")
        while self.tokens[-1] != ("sign", "]"):
            name = self.take("word")
            self.take("sign", "=")
            found[name] = label(self.take("id"))
            if self.tokens[-1] == ("sign", ","):
                self.take("sign")
        self.take("sign")
        return found


def label(text: str) -> str:
    r"""What is shown: `\n` is a line end, `\\` a backslash; no other escape may be there."""
    assert not re.search(r'\\[^"\\n]', text.replace("\\\\", "")), text
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def test_what_is_written_is_what_is_meant() -> None:
    read = Reader(dot(rich()))
    assert read.name == "claims"
    assert read.nodes["pay"] == {"label": "pay\nlog · 4 attempts", "shape": "box"}
    assert read.nodes["size"]["shape"] == "diamond" and read.nodes["owe"]["style"] == "dashed"
    fail = {"style": "dashed", "color": "#c2410c", "fontcolor": "#c2410c", "label": "on fail"}
    assert ("pay", "alarm", fail) in read.edges
    assert ("pay", "unpay", {"style": "dotted", "constraint": "false", "label": "undo"}) in read.edges
    assert ("decide", "pay", {"label": "if output.ok && input.amount < 100"}) in read.edges
    assert 'rankdir="TB"' in dot(rich(), "down")


@given(any_graphs())
def test_each_node_and_edge_is_there(workflow: Workflow) -> None:
    read = Reader(dot(WorkflowGraph(workflow)))
    assert list(read.nodes) == [node.id for node in workflow.nodes]
    assert [edge[:2] for edge in read.edges] == [(c.source, c.target) for c in workflow.connections]
    red = {name for name, attributes in read.nodes.items() if attributes.get("color") == "#dc2626"}
    assert red == set(WorkflowGraph(workflow).cycle)


def test_hostile_texts_are_texts() -> None:
    read = Reader(dot(WorkflowGraph(hostile_workflow())))
    assert len(read.nodes) == len(HOSTILE) and len(read.edges) == len(HOSTILE) - 2
    for text, (name, attributes) in zip(HOSTILE, read.nodes.items(), strict=True):
        assert name.startswith(words.one_line(text, 200))
        assert attributes["label"].split("\n")[0] == words.name(text, words.label_chars_max)
