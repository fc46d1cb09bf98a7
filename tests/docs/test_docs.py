"""The documentation is true: its examples run, its links lead somewhere, its tables are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mainspring as ms

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("**/*.md"), *ROOT.glob("examples/**/*.md")]
)


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("tool", ["semantics_tables", "definition_reference"])
def test_tables_are_those_of_the_code(tool: str) -> None:
    done = subprocess.run([sys.executable, f"tools/{tool}.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("amount", "nodes"),
    [
        (5, {"check": "completed", "pay": "completed", "explain": "skipped", "alarm": "skipped"}),
        (5000, {"check": "completed", "pay": "skipped", "explain": "completed", "alarm": "skipped"}),
    ],
)
def test_the_example_of_the_concepts_runs(tmp_path: Path, amount: float, nodes: dict[str, str]) -> None:
    document = ROOT / "docs" / "concepts.md"
    (tmp_path / "refund.yaml").write_text(blocks(document, "yaml")[0])
    (tmp_path / "refunds.py").write_text(blocks(document, "python")[0])
    result = ms.run(tmp_path / "refund.yaml", input={"amount": amount})
    assert result.status == "completed"
    assert {path: node.status for path, node in result.nodes.items()} == nodes


def test_the_program_of_the_concepts_runs(tmp_path: Path) -> None:
    program = blocks(ROOT / "docs" / "concepts.md", "python")[1]
    for name in ("order.yaml", "orders.py"):
        (tmp_path / name).write_text((ROOT / "examples" / "order" / name).read_text("utf-8"))
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("completed ")


def test_every_public_name_is_there() -> None:
    for name in ms.__all__:
        assert getattr(ms, name) is not None
    assert set(ms.__all__) == {*ms._WHERE, "__version__"}
