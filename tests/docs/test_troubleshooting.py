"""Each command in docs/troubleshooting.md runs, in a folder such as its reader has; each code in it exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import warm

from mainspring.definition.findings import codes

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an order was run once, and a file in another encoding lies about."""
    made = tmp_path_factory.mktemp("reader")
    (made / ".bin").mkdir()
    warm.program(made / ".bin" / "mainspring")
    for name in ("order.yaml", "orders.py"):
        shutil.copy(ROOT / "examples" / "order" / name, made / name)
    text = "id: grüße\nnodes:\n  - {id: a, type: log}\n"
    (made / "old.yaml").write_bytes(text.encode("cp1252"))
    (made / "new.yaml").write_text(text, "utf-8")
    done = shell("mainspring run order.yaml --input amount=30", made)
    assert done.returncode == 0, done.stderr
    return made


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{folder / '.bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAINSPRING_")}
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env={**env, "PATH": path}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_run(command: str, folder: Path) -> None:
    if command.startswith("iconv") and shutil.which("iconv") is None:
        pytest.skip("there is no iconv here")
    done = shell(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_codes_are_there() -> None:
    assert set(re.findall(r"MS\d{3}", TEXT)) <= set(codes)


@pytest.mark.parametrize(
    ("condition", "code"),
    [('"a" == input.x', "MS004"), ("'\"a\" == input.x'", None)],
)
def test_its_advice_on_quotes_is_right(condition: str, code: str | None, tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(
        "id: w\nnodes:\n  - {id: a, type: log}\n  - {id: b, type: log}\n"
        f"connections:\n  - source: a\n    target: b\n    condition: {condition}\n"
    )
    done = shell(f"mainspring validate {path}", tmp_path)
    assert (code or "ok") in done.stdout + done.stderr


def test_its_messages_are_those_of_the_code(tmp_path: Path) -> None:
    """The symptoms are quoted: they are what one searches for."""
    (tmp_path / "latin.yaml").write_bytes("id: w\nname: ü\n".encode("latin-1"))
    (tmp_path / "many.yaml").write_text("x: [" + "1, " * 300_001 + "]")
    said = "".join(
        shell(f"mainspring validate {name}", tmp_path).stderr for name in ("latin.yaml", "many.yaml", "no.yaml")
    )
    for symptom in ("the byte 0xfc is not UTF-8", "more keys and values than yaml_nodes_max", "there is no such file"):
        assert symptom in said and symptom in TEXT
