"""Texts that want to be taken for syntax, and a workflow whose every text is one of them."""

from __future__ import annotations

from itertools import pairwise

from mainspring.definition.model import Connection, Node, Workflow

HOSTILE = [
    'say "hi"',
    "it's",
    "<script>alert(1)</script>",
    "</text></svg><b>",
    "a\nb\r\nc\td",
    "]]>&amp;&#0;",
    "end",
    "%%{init: {}}%%",
    "1. one",
    "- x --> y",
    "`md` **bold** [link](javascript:alert(1))",
    "back\\slash\\",
    '\\" -> "',
    "#quot;#35;",
    "|x|",
    "{}[]()",
    "ünï 漢字 🚀",
    "rtl \u202e txt \u200b",
    "\x00\x07\x1b[31mred\x1b[0m",
    "\ud800 half",
    "\ufffe\uffff",
    "a b",
    "a  b",
    "",
    "x" * 1_000,
    "漢" * 1_000,
    "${ output }",
    "//comment /* */",
]


def hostile_workflow() -> Workflow:
    nodes = [
        Node(id=text, type=text or "log", name=text, description=text, fallback_node_id=HOSTILE[1] if at == 0 else None)
        for at, text in enumerate(HOSTILE)
    ]
    connections = [
        Connection(
            source=before,
            target=text,
            condition=text,
            source_port=text,
            target_port=text,
            trigger=("complete", "fail", "all")[at % 3],  # type: ignore[arg-type]
        )
        for at, (before, text) in enumerate(pairwise(HOSTILE[2:]))
    ]
    return Workflow(id=HOSTILE[2], name=HOSTILE[3], nodes=tuple(nodes), connections=tuple(connections))


RICH = """
id: claims
name: Insurance claim
nodes:
  - {id: new, type: trigger, name: A claim arrives}
  - {id: size, type: decision, config: {conditions: [{id: large, expression: a}, {id: small, expression: b}]}}
  - {id: review, type: log}
  - {id: cool-off, type: delay, config: {duration: 1d}}
  - {id: decide, type: log, join: {n: 2}}
  - {id: pay, type: log, retry: {strategy: fixed, maxAttempts: 4}, compensationNodeId: unpay, fallbackNodeId: owe}
  - {id: unpay, type: sql}
  - {id: owe, type: log}
  - {id: alarm, type: email}
  - {id: archive, type: subflow, join: any}
connections:
  - {source: new, target: size}
  - {source: size, target: review, sourcePort: large}
  - {source: size, target: cool-off, sourcePort: small}
  - {source: review, target: decide}
  - {source: cool-off, target: decide}
  - {source: decide, target: pay, condition: output.ok && input.amount < 100}
  - {source: pay, target: archive}
  - {source: pay, target: alarm, trigger: fail}
  - {source: new, target: archive, trigger: all}
"""
