"""Hostile and broken documents: a finding at its place, never a traceback, in bounded time."""

import time
from pathlib import Path

import pytest

from mainspring.definition.load import read, read_text

head = "id: w\nnodes: [{id: a, type: log}]\n"
json_head = '{"id": "w", "nodes": [{"id": "a", "type": "log"}]'

broken_yaml = [
    ("", "MS004", (1, 1)),
    ("# nothing\n", "MS004", (1, 1)),
    ("id: [", "MS004", (1, 6)),
    (head + "\tname: x", "MS004", (3, 1)),
    (head + "id: x\n", "MS006", (3, 1)),
    (head + "name: !!python/object:os.system x\n", "MS007", (3, 7)),
    (head + "name: !x y\n", "MS007", (3, 7)),
    (head + "? [1]\n: 2\n", "MS007", (3, 3)),
    (head + "variables: {a: *b}\n", "MS007", (3, 16)),
    (head + "variables: &a {b: *a}\n", "MS007", (3, 19)),
    (head + "---\nid: b\n", "MS007", (3, 1)),
    (head + "variables: {a: .inf}\n", "MS008", (3, 16)),
    (head + "variables: {a: 99999999999999999999}\n", "MS008", (3, 16)),
    (head + "name: a\0b", "MS003", (3, 8)),
    (head + "name: a\x01b", "MS003", (3, 8)),
    (head + "variables: " + "[" * 200, "MS005", (3, 111)),
    ("- 1", "MS102", (1, 1)),
    ("just text", "MS102", (1, 1)),
]
broken_json = [
    ("", "MS004", (1, 1)),
    ("{", "MS004", (1, 2)),
    (json_head + ',\n "id": "x"}', "MS006", (2, 2)),
    (json_head + ',\n "variables": {"a": {"b": 1, "b": 2}}}', "MS006", (2, 30)),
    (json_head + ',\n "variables": NaN}', "MS008", (2, 15)),
    (json_head + ',\n "variables": {"a": 1e999}}', "MS008", (2, 21)),
    (json_head + ',\n "variables": ' + "[" * 200 + "]" * 200 + "}", "MS005", (2, 114)),
    (json_head + ',\n "variables": ' + "[" * 100_000, "MS005", (2, 114)),
    (json_head + ',"name": "\\ud800"}', "MS003", (1, 60)),
    ("[1]", "MS102", (1, 1)),
]


@pytest.mark.parametrize(("text", "code", "place"), broken_yaml)
def test_broken_yaml(text: str, code: str, place: tuple[int, int]) -> None:
    found = read_text(text).findings
    assert [(one.code, (one.line, one.column)) for one in found] == [(code, place)]


@pytest.mark.parametrize(("text", "code", "place"), broken_json)
def test_broken_json(text: str, code: str, place: tuple[int, int]) -> None:
    found = read_text(text, form="json").findings
    assert [(one.code, (one.line, one.column)) for one in found] == [(code, place)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str) -> None:
    reading = read_text((head + "name: Grüße 😀").encode(encoding))
    assert reading.findings == []
    assert reading.workflow is not None and reading.workflow.name == "Grüße 😀"


def test_bytes_that_are_no_text() -> None:
    found = read_text(b"id: a\nname: \xff\xfa").findings
    assert [(one.code, one.line) for one in found] == [("MS003", 2)]


def test_yaml_scalars_are_those_of_1_2() -> None:
    reading = read_text(
        head + "variables: {on: no, t: 12:30, o: 0o17, x: 0x1f, e: 1e3, z: 007, f: True, n: ~, s: '1'}\n"
    )
    assert reading.workflow is not None
    assert reading.workflow.variables == {
        "on": "no", "t": "12:30", "o": 15, "x": 31, "e": 1000.0, "z": 7, "f": True, "n": None, "s": "1"
    }  # fmt: skip


@pytest.mark.timed
def test_alias_bomb_and_other_giants_are_refused_in_no_time(tmp_path: Path) -> None:
    began = time.perf_counter()
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert [one.code for one in read_text(bomb).findings] == ["MS002"]
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * ((16 << 20) + 1))
    assert [one.code for one in read(large).findings] == ["MS002"]
    assert [one.code for one in read_text("[" * 1_000_000).findings] == ["MS005"]
    assert time.perf_counter() - began < 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.yaml", "a\0b"):
        assert [one.code for one in read(path).findings] == ["MS001"]


def test_aliases_that_are_used_with_measure() -> None:
    text = "id: w\nnodes:\n- {id: a, type: log, retry: &r {maxAttempts: 2}}\n- {id: b, type: log, retry: *r}\n"
    workflow = read_text(text).workflow
    assert workflow is not None and workflow.nodes[0].retry == workflow.nodes[1].retry
