"""D1: the guide to workflows in Python is true: its programs print what is shown, and its errors are told as shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mainspring as ms

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "python.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", GUIDE, re.DOTALL)
SESSIONS = re.findall(r"```console\n\$ python (\w+\.py)\n(.*?)```", GUIDE, re.DOTALL)


def test_the_programs_print_what_is_shown(tmp_path: Path) -> None:
    for name, text in PROGRAMS:
        (tmp_path / name).write_text(f"# {name}\n{text}")
    assert len(SESSIONS) == 2
    for name, shown in SESSIONS:
        done = subprocess.run([sys.executable, name], cwd=tmp_path, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (shown, "")


@pytest.mark.parametrize(
    ("said", "meant", "argument"),
    [
        ("max_attempts=4", "max_attempts=40", "nodes[0].retry.max_attempts"),
        ('depends_on="pause"', 'depends_on="pause", tiemout=3', "nodes[2].tiemout"),
    ],
)
def test_the_errors_are_those_shown(said: str, meant: str, argument: str) -> None:
    source = f"# orders.py\n{dict(PROGRAMS)['orders.py']}".replace(said, meant)
    with pytest.raises(ms.DefinitionError) as caught:
        exec(compile(source, "orders.py", "exec"), {"__name__": "orders"})
    (found,) = caught.value.findings
    assert found.argument == argument
    assert found.text() in GUIDE
