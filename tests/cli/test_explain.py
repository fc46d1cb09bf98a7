"""D6: every code is explained by an example that has it, and by the same mended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.cli.examples import EXAMPLES, Example
from mainspring.cli.explain import find, shortened
from mainspring.cli.main import main
from mainspring.cli.validate import _check
from mainspring.definition.findings import codes
from tests import warm

ROOT = Path(__file__).parents[2]
RUN = """
import runpy, sys
from mainspring.errors import DefinitionError
try:
    runpy.run_path(sys.argv[1])
except DefinitionError as error:
    print(*(one.code for one in error.findings))
"""


def found_in(example: Example, text: str, encoding: str, folder: Path) -> set[str]:
    """The codes of what is found, without what another version would not say."""
    folder.mkdir()
    for name, content in example.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    if example.kind == "command":
        command = [*warm.command(), *text.split()[1:], "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)
        told = json.loads(done.stdout)
        return {
            one["code"] for each in (told if isinstance(told, list) else [told]) for one in each.get("findings", ())
        }
    (folder / example.name).write_bytes(text.encode(encoding))
    if example.kind == "python":
        command = [sys.executable, "-c", RUN, example.name]
        env = {**os.environ, "PYTHONPATH": str(folder)}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())
    return {one.code for one in _check(str(folder / example.name))[-1]}


@pytest.mark.parametrize("code", sorted(codes))
def test_the_wrong_example_has_its_code_and_the_right_one_has_not(code: str, tmp_path: Path) -> None:
    example = EXAMPLES[code]
    later = {other for other in codes if other.startswith("MS9")} - {code}
    assert found_in(example, example.bad, example.encoding, tmp_path / "bad") - later == {code, *example.also}
    assert found_in(example, example.mended, "utf-8", tmp_path / "mended") - later == set()


def test_all_codes_have_examples_and_no_others() -> None:
    assert set(EXAMPLES) == set(codes)
    assert all(code.title and code.explanation.endswith(".") for code in codes.values())


@pytest.mark.parametrize("read", sorted({example.read for example in EXAMPLES.values()}))
def test_where_to_read_on_is_there(read: str) -> None:
    path, _, anchor = read.partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    assert not anchor or anchor in anchors


def test_explain_shows_what_is_wrong_and_the_mended_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "ms206"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("MS206 dangling connection (error)\n")
    assert "    6 |   - {source: charge, target: shp}\n      |                              ^\n" in out
    assert "did you mean `ship`?" in out and "Right: order.yaml" in out and "Read on: docs/" in out


def test_explain_alone_lists_all_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    listed = re.findall(r"^MS\d{3}", capsys.readouterr().out, re.MULTILINE)
    assert listed == sorted(codes)


def test_explain_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "MS104", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["code"], told["severity"], told["title"]) == ("MS104", "error", "unknown key")
    assert "descripton" in told["example"]["wrong"] and "description" in told["example"]["right"]
    assert main(["explain", "--json"]) == 0
    assert [one["code"] for one in json.loads(capsys.readouterr().out)] == sorted(codes)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("MS1044", "did you mean `MS104`?"), ("cycle", "did you mean MS209 (cycle)?"), ("x", "lists them all")],
)
def test_an_unknown_code(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 2
    assert hint in capsys.readouterr().err
    assert main(["explain", word, "--json"]) == 2
    assert hint in json.loads(capsys.readouterr().out)["error"]["message"]


def test_codes_are_found_as_people_write_them() -> None:
    assert find("104") == find(" ms104 ") == "MS104"
    assert find("") is None


def test_long_examples_are_cut_where_they_are_shown() -> None:
    assert all(len(line) <= 100 for example in EXAMPLES.values() for line in shortened(example.bad))
    assert len(shortened("x\n" * 50)) == 16


def test_the_reference_is_that_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "tools/error_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
