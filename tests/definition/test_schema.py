"""D7: the JSON Schema for editors accepts what the doors accept, and refuses what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mainspring.cli.main import main
from mainspring.definition import canonical, vocabulary
from mainspring.definition.json_door import read_json
from mainspring.definition.load import read_text
from mainspring.definition.schema import resilience_schema, workflow_schema
from mainspring.definition.yaml_door import YamlReader
from mainspring.graph.check_resilience import inspect_resilience

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for folder in (ROOT / "tests/definition/files", ROOT / "examples", ROOT.parent / "shared/fixtures")
    for path in folder.glob("**/*")
    if path.suffix in (".yaml", ".json")
)
CHECKERS = {
    "workflow": jsonschema.Draft202012Validator(workflow_schema()),
    "resilience": jsonschema.Draft202012Validator(resilience_schema()),
}


def tree_of(text: str, form: str = "yaml") -> Any:
    return read_json(text)[0] if form == "json" else YamlReader(text).read()


def accepts(tree: Any) -> bool:
    kind = "resilience" if vocabulary.is_resilience(tree) else "workflow"
    return CHECKERS[kind].is_valid(tree)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_meets_it(path: Path) -> None:
    tree = tree_of(path.read_text("utf-8"), path.suffix[1:])
    kind = "resilience" if vocabulary.is_resilience(tree) else "workflow"
    assert [(error.json_path, error.message) for error in CHECKERS[kind].iter_errors(tree)] == []


@pytest.mark.parametrize("checker", CHECKERS.values(), ids=CHECKERS)
def test_it_is_a_schema_and_its_patterns_are_those_of_every_editor(checker: Any) -> None:
    checker.check_schema(checker.schema)
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(checker.schema))
    assert patterns
    for part in checker.schema["$defs"].values():
        patterns += [json.dumps(pattern)[1:-1] for pattern in part["patternProperties"]]
    # ECMAScript's unicode mode takes escapes of syntax characters alone.
    assert not [pattern for pattern in patterns if re.search(r"\\\\[^.|$+^*?()s]", pattern)]


@pytest.mark.parametrize("checker", CHECKERS.values(), ids=CHECKERS)
def test_every_key_is_described(checker: Any) -> None:
    for name, part in checker.schema["$defs"].items():
        assert part["description"], name
        assert [key for key, value in part["properties"].items() if not value.get("description")] == [], name


NODE = "id: w\nnodes: [{{id: a, {}}}]\n"
EDGE = "id: w\nnodes: [{{id: a, type: log}}, {{id: b, type: log}}]\nconnections: [{{{}}}]\n"

SAID_IN_NODES = """
type: log
type: for_each
type: ForEach, body: [{type: log, id: x}]
nodeType: HTTP
type: action, action: mail
action: {type: mail, to: x}
handler: 'm:f'
functionName: f
function_name: f, type: action
scriptPath: a.sh, runtimeType: Bash
data: {functionName: f, retryPolicy: {maxAttempts: 2}}
type: log, timeout: 10s
type: log, timeout: 1h 30m
type: log, timeout: 250
type: log, timeout: '250'
type: log, timeout: null
type: log, retry: 3
type: log, retry: exponential
type: log, retry: false
type: log, retry: {strategy: Constant, maxRetries: 2, retryDelay: 1s, jitter: true, retryOn: OSError}
type: log, retry_policy: {max_attempts: 2, backoff-factor: 3}
type: log, RetryPolicy: {MaxAttempts: 2}
type: log, join: any
type: log, join: {n: 1}
type: log, join: {any: true, cancelOthers: true}
type: log, join: {any: {cancelOthers: true}}
type: log, join: {kind: Each}
type: log, cache: true
type: log, cache: 10m
type: log, cache: {cacheKey: '${ input.id }', ttl: 1m}
type: log, resilience: {failurePolicy: fail-fast, maxRetries: 2, retryDelay: 1s, fallbackActions: [a, {type: b, to: c}]}
type: log, resilience: gentle
type: log, rateLimit: 5
type: log, rateLimit: {limit: 5, interval: 1m}
type: log, tags: x, priority: High
type: log, circuitBreaker: {openDuration: 1m}, resources: {cpu: 2}, position: {x: 1.5, y: -3}
type: forEach, config: {collection: [1], maxParallel: 3, onError: continue}, do: [{id: x, type: log}]
type: race, branches: {fast: [{id: x, type: log}], slow: {steps: [{id: x, type: log}]}}
type: lock, config: {key: k, timeout: 5m}, body: [{id: x, type: log}]
type: approval
type: wait, config: {signal: [a, b], transient: true, payloadSchema: {type: object}}
type: call, config: {workflowId: x, waitForCompletion: false}
type: delay, config: {until: 1893456000000}
type: cancel, config: {nodes: b}
type: milestone, config: {after: b}
type: log, maxConcurrent: 2, inputSchema: {type: object}, metadata: {any: thing}
""".strip().split("\n")
SAID_IN_EDGES = """
source: a, target: b
from: a, to: b, when: true, on: Fail
sourceNodeId: a, targetNodeId: b, triggerMessageType: Complete
source_node_id: a, target_node_id: b, trigger: [complete, fail]
source: a, target: b, sourceHandle: x, condition: output.x > 3, id: 17
source: a, target: b, trigger: complete|fail
""".strip().split("\n")
OTHERS = [
    "name: Only a name\nsteps: {a: {type: log}, b: {type: log, needs: a}}\n",
    "workflowId: 17\nworkflowName: x\nversion: '1.0'\nnodes: [{id: 3, type: log}]\ncheckpoint: each\ntags: x\n",
    "id: w\nnodes: [{id: a, type: log}]\nquotas: {cpu: 4}\ntriggers: [cron, {type: webhook, path: /x}]\ntimeout: 2h\n",
    "id: w\nnodes: [{id: a, type: log}]\nfailurePolicy: PARTIAL_SUCCESS\ncompensationScope: per_branch\nretry: 2\n",
]


@pytest.mark.parametrize(
    "text", [*map(NODE.format, SAID_IN_NODES), *map(EDGE.format, SAID_IN_EDGES), *OTHERS], ids=lambda text: text[19:60]
)
def test_both_accept(text: str) -> None:
    reading = read_text(text)
    assert [one.text() for one in reading.findings] == [] and reading.workflow is not None
    assert accepts(tree_of(text))
    # What is saved is accepted too.
    assert accepts(tree_of(canonical.to_yaml(reading.workflow)))
    assert accepts(tree_of(canonical.to_json(reading.workflow), "json"))


WRONG_IN_NODES = """
name: x
typ: log
type: functon
type: log, timeout: 5 parsecs
type: log, timeout: true
type: log, tiemout: 3
type: log, name: 5
type: log, retry: {strategy: exponentail}
type: log, retry: {maxAttempts: x}
type: log, retry: {maxAttempts: 11}
type: log, retry: true
type: log, join: anny
type: log, join: {m: 2}
type: log, priority: hihg
type: log, cache: {tll: 3}
type: log, position: {x: a}
type: log, tags: 5
type: log, resilience: {failurePolicy: contine}
type: log, maxConcurrent: 0
type: while, body: [{id: x, typ: log}]
type: while, config: {body: {nodes: [{type: log}]}}
type: forEach, config: {items: [1], concurrency: 0}, body: [{id: x, type: log}]
type: forEach, config: {items: true}, body: [{id: x, type: log}]
type: until, config: {condition: value, maxIterations: 1000001}, body: [{id: x, type: log}]
type: race, branches: {fast: [{id: x, typ: log}]}
type: wait, config: {signal: 3}
type: wait, config: {signal: go, transient: 1}
type: subflow, config: {workflow: [x]}
action: {to: x}
""".strip().split("\n")
WRONG_IN_EDGES = """
source: a
source: a, target: b, trigger: al
source: a, target: b, trigger: [complete, never]
source: a, target: b, conditon: x
source: a, target: b, condition: 3
""".strip().split("\n")
WRONG = [
    "nodes: [{id: a, type: log}]\n",
    "id: w\n",
    "id: w\nnodes: 3\n",
    "id: w\nnodes: [{type: log}]\n",
    "id: w\nnodes: [{id: a, type: log}]\nconections: []\n",
    "id: w\nnodes: [{id: a, type: log}]\ncriticalStepRatio: 2\n",
    "kind: WorkflowResilienceConfig\nspec: {maxPartialFailure: 1}\n",
    "kind: WorkflowResilienceConfig\nspec: {stepPolicies: {a: {isCritcal: true}}}\n",
    "kind: WorkflowResilienceConfig\n",
    "kind: WorkflowResilienceConfg\nspec: {}\n",
]


@pytest.mark.parametrize(
    "text", [*map(NODE.format, WRONG_IN_NODES), *map(EDGE.format, WRONG_IN_EDGES), *WRONG], ids=lambda text: text[19:60]
)
def test_both_refuse(text: str) -> None:
    from mainspring.graph.check import inspect_reading

    reading = read_text(text)
    found = inspect_resilience(reading)[1] if reading.kind == "resilience" else inspect_reading(reading)[1]
    assert any(one.severity == "error" for one in found)
    assert not accepts(tree_of(text))


def test_every_spelling_of_every_key_is_accepted_in_every_form() -> None:
    from mainspring.definition.schema import _forms

    for words in vocabulary.words:
        patterns = CHECKERS["workflow"].schema["$defs"][words.struct.__name__]["patternProperties"]
        for name in (*words.canonical, *words.extra):
            for word in (name, *words.spellings.get(name, ())):
                for form in _forms(word):
                    found = [value["$ref"] for pattern, value in patterns.items() if re.search(pattern, form)]
                    assert found == [f"#/$defs/{words.struct.__name__}/properties/{name}"], form
                    assert words.find(form) == name


@pytest.mark.parametrize("kind", ["workflow", "resilience"])
def test_the_command_prints_it(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--kind", kind]) == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed == CHECKERS[kind].schema and printed["$schema"].endswith("2020-12/schema")
    assert main(["schema", "--kind", kind, "--output", str(tmp_path / "x.json")]) == 0
    assert json.loads((tmp_path / "x.json").read_text()) == printed
    assert capfd.readouterr().out == ""
    assert main(["schema", "--output", str(tmp_path / "no" / "x.json")]) == 2
