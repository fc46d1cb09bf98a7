from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.cli.wfformat import convert, load, read
from mainspring.errors import DefinitionError

INSTANCES = sorted((Path(__file__).resolve().parents[3] / "shared" / "wfinstances").glob("*.json"))


def document(*tasks: dict[str, Any], runtimes: dict[str, Any] | None = None) -> dict[str, Any]:
    times = runtimes if runtimes is not None else {task["id"]: 1.0 for task in tasks}
    executed = [{"id": key, "runtimeInSeconds": value} for key, value in times.items()]
    return {
        "schemaVersion": "1.5",
        "workflow": {"specification": {"tasks": list(tasks)}, "execution": {"tasks": executed}},
    }


def task(key: str, parents: tuple[str, ...] = (), children: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": key, "name": f"name of {key}", "parents": list(parents), "children": list(children)}


def test_parents_and_children_are_united() -> None:
    workflow = convert(
        document(task("a", children=("b",)), task("b", parents=("a",)), task("c", parents=("b",))),
        time_scale=1,
        name="x",
    )
    assert [(c.source, c.target) for c in workflow.connections] == [("a", "b"), ("b", "c")]
    assert [node.name for node in workflow.nodes] == ["name of a", "name of b", "name of c"]


@pytest.mark.parametrize(
    ("seconds", "scale", "duration"),
    [(1.5, 1, "1500ms"), (0.0005, 1, "1ms"), (9, 0, "0ms"), (0.0004, 1, "0ms"), (100, 0.01, "1000ms")],
)
def test_durations_are_scaled_and_rounded(seconds: float, scale: float, duration: str) -> None:
    workflow = convert(document(task("a"), runtimes={"a": seconds}), time_scale=scale, name="x")
    assert workflow.nodes[0].config == {"duration": duration}
    assert workflow.nodes[0].metadata == {"id": "a", "runtimeInSeconds": seconds}


def test_ids_become_legal_and_stay_apart() -> None:
    workflow = convert(
        document(task("a.b"), task("a b"), task("a_b"), task("c", parents=("a.b",))), time_scale=0, name="a/b"
    )
    ids = [node.id for node in workflow.nodes]
    assert ids == ["a_b-2", "a_b-3", "a_b", "c"]
    assert workflow.id == "a_b"
    assert workflow.connections[0].source == "a_b-2"


def test_the_older_form_is_read() -> None:
    older = {
        "schemaVersion": "1.4",
        "workflow": {
            "tasks": [
                {"name": "a", "runtimeInSeconds": 2, "children": ["b"]},
                {"name": "b", "runtimeInSeconds": 1, "parents": ["a"]},
            ]
        },
    }
    workflow = convert(older, time_scale=1, name="x")
    assert [node.config["duration"] for node in workflow.nodes] == ["2000ms", "1000ms"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (document(task("a", parents=("z",))), "`z` among its parents"),
        (document(task("a", ("b",)), task("b", ("a",))), "cycle: "),
        (document(task("a", ("a",))), "cycle: a -> a"),
        (document(task("a"), runtimes={}), "no runtimeInSeconds"),
        (document(task("a"), task("a")), "two tasks have the id"),
        (document(task("a"), runtimes={"a": -1}), "from 0 on, not -1"),
        (document(task("a"), runtimes={"a": "1"}), "from 0 on, not '1'"),
        (document(task("a"), runtimes={"a": 1, "b": 1}), "`b` that is not specified"),
        (document(), "no tasks"),
        ({}, "no tasks"),
    ],
)
def test_what_is_wrong_is_said(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        convert(wrong, time_scale=1, name="x")


def test_all_faults_are_told_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(document(task("a", ("z",)), runtimes={"a": -1}), indent=1))
    with pytest.raises(DefinitionError) as raised:
        load(file, time_scale=1, name="x")
    places = [each.line for each in raised.value.findings]
    lines = file.read_text().splitlines()
    assert "-1" in lines[places[0] - 1] and '"z"' in lines[places[1] - 1]


def test_a_fault_in_the_json_has_a_place(tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text('{"workflow":\n  {"tasks": [}}')
    with pytest.raises(DefinitionError, match=r"wrong\.json:2:14"):
        read(file)


@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.name[:12])
def test_real_executions_convert(path: Path) -> None:
    content = read(path)
    workflow = load(path, time_scale=0.001, name=path.stem)
    assert len(workflow.nodes) == len(content["workflow"]["specification"]["tasks"])
    assert len({node.id for node in workflow.nodes}) == len(workflow.nodes)
