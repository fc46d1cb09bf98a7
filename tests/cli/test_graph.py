"""A3 `graph`: drawings and the analysis from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import main
from tests.cli.shell import Shell

WORKFLOW = """
id: shop
name: A shop
nodes:
  - {id: a, type: log}
  - {id: b, type: log, dependsOn: [a]}
  - {id: c, type: log}
connections:
  - {source: a, target: c, condition: output.ok}
"""
CYCLE = """
id: ring
nodes:
  - {id: a, type: log}
  - {id: b, type: log, dependsOn: [a, c]}
  - {id: c, type: log, dependsOn: [b]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(WORKFLOW)
    Path("ring.yaml").write_text(CYCLE)
    Path("bad.yaml").write_text("id: w\nnodes: [{id: a, type: log, dependsOn: [nowhere]}]")
    return tmp_path


def graph(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["graph", *args])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_text_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = graph("shop.yaml", capsys=capsys)
    assert (code, err) == (0, "")
    assert out == (
        "A shop  shop  3 nodes · 2 connections · 2 levels\n\n"
        "  ●    a  log\n  ├─╮\n  │ ●  b  log\n  ●    c  log  if output.ok\n"
    )


def test_each_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("shop.yaml", "-f", "mermaid", "--direction", "down", capsys=capsys)[1].startswith("flowchart TB\n")
    assert graph("shop.yaml", "-f", "dot", capsys=capsys)[1].startswith('digraph "shop" {\n')
    assert ElementTree.fromstring(graph("shop.yaml", "-f", "svg", capsys=capsys)[1]).tag.endswith("svg")
    as_json = graph("shop.yaml", "--json", capsys=capsys)[1]
    assert json.loads(as_json)["analysis"]["roots"] == ["a"]
    assert graph("shop.yaml", "-f", "json", capsys=capsys)[1] == as_json


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("x.svg", "<svg"),
        ("x.gv", "digraph"),
        ("x.mmd", "flowchart"),
        ("x.json", "{"),
        ("x.txt", "A shop"),
        ("x", "A shop"),
    ],
)
def test_a_file_whose_name_says_the_format(name: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = graph("shop.yaml", "-o", name, capsys=capsys)
    assert code == 0 and Path(name).read_text("utf-8").startswith(begins)
    assert out.startswith(f"✓ {name}: ")
    assert out.endswith(f"{os.path.getsize(name):,} bytes\n")


def test_the_format_wins_over_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    graph("shop.yaml", "-o", "x.svg", "-f", "dot", capsys=capsys)
    assert Path("x.svg").read_text().startswith("digraph")


def test_the_analysis(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = graph("shop.yaml", "--analysis", capsys=capsys)
    assert code == 0
    assert "  critical path   a → b  2 long\n" in out and "  paths           2\n" in out
    code, out, _ = graph("shop.yaml", "--analysis", "--json", capsys=capsys)
    assert code == 0 and json.loads(out)["leaves"] == ["b", "c"]


def test_a_file_with_errors_is_told_and_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = graph("bad.yaml", capsys=capsys)
    assert (code, out) == (2, "")
    assert "bad.yaml:2:" in err and "MS207" in err and "1 error; nothing was drawn" in err
    code, out, _ = graph("bad.yaml", "--json", capsys=capsys)
    assert code == 2 and json.loads(out)["findings"][0]["code"] == "MS207"
    assert graph("missing.yaml", capsys=capsys)[0] == 2


def test_a_graph_with_only_a_cycle_is_drawn_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = graph("ring.yaml", capsys=capsys)
    assert code == 2
    assert "MS209" in err
    assert "↻ a cycle: b → c → b\n" in out and "c  log  ↻ back to b\n" in out
    code, out, _ = graph("ring.yaml", "--json", capsys=capsys)
    assert code == 2 and json.loads(out)["analysis"]["cycle"] == ["b", "c"]


@pytest.mark.parametrize(
    "args", [("--analysis", "-f", "svg"), ("--positions",), ("-f", "png"), ("-o", "no/such/dir.svg")]
)
def test_wrong_usage(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = graph("shop.yaml", *args, capsys=capsys)
    assert (code, out) == (2, "") and "rror" in err


def test_what_was_made_plainer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = graph("shop.yaml", "-f", "svg", "--positions", capsys=capsys)
    assert code == 0 and out.startswith("<svg")
    assert err == "note: 3 of the nodes have no position: laid out anew\n"


def test_as_a_process_in_a_pipe_that_shows_only_ascii(shell: Shell) -> None:
    shell.write("shop.yaml", WORKFLOW)
    done = shell("graph", "shop.yaml", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stdout.isascii()
    assert "  +-+\n  | *  b" in done.stdout


def test_help_has_examples() -> None:
    from mainspring.cli.main import group

    done: Result = CliRunner().invoke(group, ["graph", "--help"])
    assert done.exit_code == 0 and "mainspring graph order.yaml -o order.svg" in done.output
