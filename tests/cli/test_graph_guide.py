"""docs/guides/graphs.md is true: its drawings are what the command draws, its programs run, its bounds are the code's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.cli.main import main
from mainspring.graph.analysis.paths import paths_listed_max
from mainspring.graph.export import mermaid, text, words
from mainspring.graph.layout.layers import bends_max
from tests.cli.test_graph import CYCLE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "graphs.md").read_text("utf-8")
ORDER = ROOT / "examples" / "order"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_drawings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ring.yaml").write_text(CYCLE)
    calls = [[str(ORDER / "order.yaml")], [str(ORDER / "order.yaml"), "--analysis"], [str(tmp_path / "ring.yaml")]]
    drawn = []
    for args in calls:
        main(["graph", *args])
        drawn.append(capsys.readouterr().out)
    assert blocks("text") == drawn


def test_the_programs(tmp_path: Path) -> None:
    for file in ("order.yaml", "orders.py"):
        (tmp_path / file).write_text((ORDER / file).read_text("utf-8"))
    (tmp_path / "program.py").write_text("\n".join(blocks("python")))
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "('reserve',) ('notify', 'release')"
    assert "reserve -> charge -> gift-wrap -> ship" in lines
    assert lines[-2:] == ["reserve -> charge -> gift-wrap -> ship -> notify", "reserve -> charge -> ship -> notify"]


def test_the_bounds() -> None:
    for bound in (
        f"{text.rows_max} nodes, or one that needs more than {text.lanes_max} lanes",
        f"more than {mermaid.edges_drawn_max} connections",
        f"{words.label_chars_max} characters in labels",
        f"Beyond {bends_max:,} bend points",
        f"limit={paths_listed_max:_}",
    ):
        assert bound in GUIDE
