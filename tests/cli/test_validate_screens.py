"""D6: what is wrong is shown at its place: the line, a caret under the fault, what was meant."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mainspring.cli import faults
from mainspring.cli.look import Screen, cells
from mainspring.cli.main import main
from mainspring.definition.findings import did_you_mean, keys_hint
from mainspring.graph.check import inspect_file

HEAD = "id: w\nnodes:\n"

# What is pointed at, in files whose lines are wide, tabbed, long, folded, escaped or in another encoding.
POINTED: dict[str, tuple[str, str, str, str]] = {
    "plain": ("w.yaml", "utf-8", HEAD + "  - {id: a, type: lgo}\n", "lgo"),
    "wide characters": ("w.yaml", "utf-8", HEAD + '  - {id: a, name: "日本語 😀", type: lgo}\n', "lgo"),
    "combining characters": ("w.yaml", "utf-8", HEAD + "  - {id: a, name: 'e\u0301e\u0301', type: lgo}\n", "lgo"),
    "tabs": ("w.yaml", "utf-8", HEAD + "  - {id: a,\tname:\tx,\ttype:\tlgo}\n", "lgo"),
    "Windows line ends": ("w.yaml", "utf-8", HEAD.replace("\n", "\r\n") + "  - {id: a, type: lgo}\r\n", "lgo"),
    "UTF-16": ("w.yaml", "utf-16", HEAD + "  - {id: a, name: ü, type: lgo}\n", "lgo"),
    "a byte order mark": ("w.yaml", "utf-8-sig", HEAD + "  - {id: a, type: lgo}\n", "lgo"),
    "a long line": (
        "w.yaml",
        "utf-8",
        HEAD + "  - {id: a, name: '" + "x " * 400 + "', type: lgo, description: y}\n",
        "lgo",
    ),
    "within a quoted expression": (
        "w.yaml",
        "utf-8",
        HEAD + '  - {id: a, type: log, input: "日 ${ inptu.x }"}\n',
        "inptu",
    ),
    "behind doubled quotes": (
        "w.yaml",
        "utf-8",
        HEAD + "  - {id: a, type: log, input: 'it''s ${ inptu.x }'}\n",
        "inptu",
    ),
    "behind escapes": (
        "w.yaml",
        "utf-8",
        HEAD + '  - {id: a, type: log, input: "\\"\\u00e9\\x41\\" ${ inptu.x }"}\n',
        "inptu",
    ),
    "in a folded block": (
        "w.yaml",
        "utf-8",
        HEAD + "  - id: a\n    type: log\n    input: >-\n      one\n      two\n\n      ${ inptu.x } three\n",
        "inptu",
    ),
    "in a literal block": (
        "w.yaml",
        "utf-8",
        HEAD + "  - id: a\n    type: log\n    input: |\n      one\n        two\n      ${ inptu.x }\n",
        "inptu",
    ),
    "in a text of several lines": (
        "w.yaml",
        "utf-8",
        HEAD + "  - id: a\n    type: log\n    input: one\n      two ${ inptu.x }\n",
        "inptu",
    ),
    "at an alias": (
        "w.yaml",
        "utf-8",
        HEAD + "  - {id: a, type: log, retry: &r {maxAttempts: 11}}\n  - {id: b, type: log, retry: *r}\n",
        "11",
    ),
    "JSON escapes": (
        "w.json",
        "utf-8",
        '{"id": "w", "nodes": [\n {"id": "a", "type": "log", "input": "\\"\\ud83d\\ude00\\" ${ inptu.x }"}]}',
        "inptu",
    ),
    "JSON behind a large list": (
        "w.json",
        "utf-8",
        '{"id": "w", "variables": {"x": [' + "[[[[1]]]], " * 600 + '0]},\n"nodes": [' + '{"id": "a", "type": "lgo"}]}',
        '"lgo"',
    ),
}


def screen(terminal: bool = False) -> tuple[Screen, io.StringIO]:
    class Stream(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    return Screen(stream), stream


def shown(path: Path, terminal: bool = False) -> list[str]:
    where, stream = screen(terminal)
    faults.show_findings(where, inspect_file(path)[1])
    return stream.getvalue().split("\n")


@pytest.mark.parametrize("name", POINTED)
def test_the_caret_stands_under_the_fault(name: str, tmp_path: Path) -> None:
    file, encoding, text, fault = POINTED[name]
    path = tmp_path / file
    path.write_bytes(text.encode(encoding))
    rows = shown(path)
    caret = next(number for number, row in enumerate(rows) if row.endswith("^"))
    line, under = rows[caret - 1], rows[caret]
    # As many columns as stand before the fault, whatever its characters are wide.
    before = line[: line.rindex(fault)]
    assert cells(before) == len(under) - 1
    assert len(line) <= faults.LINE_MAX + faults.GUTTER + 3


def test_a_line_that_is_cut_says_so_on_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(HEAD + "  - {id: a, name: '" + "x " * 400 + "', type: lgo, description: '" + "y " * 400 + "'}\n")
    line = shown(path)[1]
    assert line.startswith("    3 | …") and line.endswith("…")


def test_colours_in_a_terminal_and_none_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    path = tmp_path / "w.yaml"
    path.write_text(HEAD + "  - {id: a, type: lgo}\n")
    assert "\x1b" not in "".join(shown(path))
    coloured = "\n".join(shown(path, terminal=True))
    assert "\x1b[31;1merror MS205\x1b[0m" in coloured and "\x1b[31;1m^\x1b[0m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "".join(shown(path, terminal=True))


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text('{"id": "w", "nodes": [{"id": "\\u001b[31m", "type": "log"}], "x\u009b": 1}')
    assert all(row.isprintable() for row in shown(path))


def test_a_hundred_are_shown_and_the_rest_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(HEAD + "".join(f"  - {{id: n{n}, type: lgo}}\n" for n in range(300)))
    assert main(["validate", str(path)]) == 2
    told = capsys.readouterr().err
    assert told.count("error MS205") == faults.SHOWN_MAX
    assert "and 200 more findings, which --json lists" in told and "300 errors" in told
    assert main(["validate", str(path), "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)[0]["findings"]) == 300


def test_an_unknown_key_gets_a_few_likely_ones_the_nearest_first() -> None:
    keys = ["id", "type", "retry", "timeout", "config", "input", "join", "tags", "metadata", "name", "resources"]
    assert keys_hint("tiemout", keys) == "did you mean `timeout`?"
    hint = keys_hint("resting", keys)
    assert hint.startswith("known here: ") and hint.endswith(" and 3 more")
    assert hint.count(",") == 7 and hint.split()[2] in ("resources,", "retry,")


def test_what_was_meant_is_found_among_many_names_in_no_time() -> None:
    many = {f"node-{n}": n for n in range(100_000)}
    assert did_you_mean("nodee-77", many) is not None
    assert did_you_mean("lgo", ["log", "sql", "http"]) == "did you mean `log`?"
    assert did_you_mean("x" * 1_000_000, many) is None


KINDS: dict[str, tuple[str, str, str]] = {
    # Each kind of D6: what is wrong, its code, and what the screen says of it.
    "unknown key": (HEAD + "  - {id: a, type: log, tiemout: 5s}\n", "MS104", "did you mean `timeout`?"),
    "duplicate id": (HEAD + "  - {id: a, type: log}\n  - {id: a, type: log}\n", "MS203", "duplicate node id `a`"),
    "unknown node type": (HEAD + "  - {id: a, type: functon}\n", "MS205", "did you mean `function`?"),
    "dangling connection": (
        HEAD + "  - {id: charge, type: log}\nconnections: [{source: charge, target: chrage}]\n",
        "MS206",
        "did you mean `charge`?",
    ),
    "cycle": (
        HEAD
        + "  - {id: s, type: log}\n  - {id: a, type: log, dependsOn: [s, c]}\n  - {id: b, type: log, dependsOn: a}\n"
        "  - {id: c, type: log, dependsOn: b}\n",
        "MS209",
        "a -> b -> c -> a",
    ),
    "no entry point": (
        HEAD + "  - {id: a, type: log, dependsOn: b}\n  - {id: b, type: log, dependsOn: a}\n",
        "MS210",
        "every node has an incoming",
    ),
    "unreachable node": (
        HEAD + "  - {id: s, type: log}\n  - {id: a, type: log, dependsOn: b}\n  - {id: b, type: log, dependsOn: a}\n"
        "  - {id: c, type: log, dependsOn: b}\n",
        "MS211",
        "`c` is unreachable",
    ),
    "bad condition": (
        HEAD + "  - {id: a, type: log}\n  - {id: b, type: log}\n"
        "connections: [{source: a, target: b, condition: output.x >> 3}]\n",
        "MS212",
        "^",
    ),
    "bad port": (
        HEAD
        + "  - {id: a, type: decision, config: {conditions: [{id: big, expression: input.x}]}}\n  - {id: b, type: log}\n"
        "connections: [{source: a, target: b, sourcePort: bgi}]\n",
        "MS224",
        "did you mean `big`?",
    ),
    "bad duration": (HEAD + "  - {id: a, type: log, timeout: soon}\n", "MS105", "`500ms`, `10s`"),
    "compensation loop": (
        HEAD + "  - {id: s, type: log}\n  - {id: a, type: log, compensationNodeId: b}\n"
        "  - {id: b, type: log, compensationNodeId: a}\n",
        "MS216",
        "a -> b -> a",
    ),
    "fallback loop": (
        HEAD + "  - {id: s, type: log}\n  - {id: a, type: log, fallbackNodeId: b}\n"
        "  - {id: b, type: log, fallbackNodeId: a}\n",
        "MS216",
        "a -> b -> a",
    ),
    "join that can never fire": (
        HEAD + "  - {id: a, type: log}\n  - {id: b, type: log, join: {n: 2}, dependsOn: [a]}\n",
        "MS218",
        "2",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_fault_is_told(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, code, said = KINDS[kind]
    path = tmp_path / "w.yaml"
    path.write_text(text)
    main(["validate", str(path)])
    told = capsys.readouterr().err
    assert f" {code}: " in told and said in told and "      | " in told
    main(["validate", str(path), "--json"])
    found = json.loads(capsys.readouterr().out)[0]["findings"]
    assert all(one["line"] and one["column"] and one["file"] == str(path) for one in found)
    assert code in {one["code"] for one in found}


def test_code_that_is_not_here_is_a_warning_on_validate_and_an_error_on_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs_of_screens.py").write_text("def charge(): ...\n")
    (tmp_path / "w.yaml").write_text(
        HEAD
        + "  - {id: a, type: function, config: {handler: 'nowhere:a'}}\n"
        + "  - {id: b, type: function, config: {handler: 'jobs_of_screens:chrage'}}\n"
        + "  - {id: c, type: function, config: {handler: unregistered}}\n"
        + "  - {id: d, type: script, config: {path: missing.py}}\n"
    )
    assert main(["validate", "w.yaml"]) == 0
    told = capsys.readouterr().err
    assert told.count("warning MS902") == 4 and told.count("^") == 4
    assert main(["run", "w.yaml", "--store", "memory:"]) == 2
    refused = capsys.readouterr().err
    assert "nothing was run" in refused
    assert all(what in refused for what in ("nowhere", "chrage", "unregistered", "missing.py"))


def test_missing_code_is_looked_for_up_to_a_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.yaml"
    nodes = (f"  - {{id: n{n}, type: function, config: {{handler: 'nowhere:f{n}'}}}}\n" for n in range(300))
    path.write_text(HEAD + "".join(nodes))
    assert main(["validate", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[0]["findings"]
    assert len(found) == 201 and "missing_listed_max" in found[-1]["message"] and found[-1]["line"] == 203
