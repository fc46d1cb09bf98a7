"""The example of a plugin, installed as `pip` would leave it: its module on the path, its metadata beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom-kind"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed things. The metadata is made of the example's own pyproject, as an installer makes it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
    told, modules = project["project"], project["tool"]["setuptools"]["py-modules"]
    folder = tmp_path / "site"
    metadata = folder / f"{told['name'].replace('-', '_')}-{told['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n")
    for module in modules:
        (folder / f"{module}.py").write_text((EXAMPLE / f"{module}.py").read_text("utf-8"), "utf-8")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in told["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text(points)
    return folder


def mainspring(site: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mainspring", *args],
        cwd=site.parent, env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_is_listed_with_where_it_comes_from(site: Path) -> None:
    listed = mainspring(site, "nodes")
    assert listed.returncode == 0, listed.stderr
    assert "📒 ledger.book  Books an entry in a ledger" in listed.stdout
    assert "config: file, limit; ports: refused" in listed.stdout
    assert "from acme-ledger 1.0 (acme_ledger:book)" in listed.stdout
    told = json.loads(mainspring(site, "nodes", "ledger.book", "--json").stdout)
    assert told["icon"] == "📒" and told["ports"] == ["refused"] and told["runs"] == "a thread"
    assert list(told["config"]) == ["file", "limit"] and told["source"]["distribution"] == "acme-ledger"
    assert 'config: {file: "ledger.jsonl"}' in told["example"]


def test_its_workflow_runs(site: Path) -> None:
    checked = mainspring(site, "validate", str(EXAMPLE / "expense.yaml"))
    assert checked.returncode == 0 and "ok, 2 nodes" in checked.stdout, checked.stderr
    command = ("run", str(EXAMPLE / "expense.yaml"), "--input", "account=travel", "--quiet")
    booked = mainspring(site, *command, "--input", "amount=120", "--key", "one")
    assert booked.returncode == 0, booked.stdout + booked.stderr
    second = mainspring(site, *command, "--input", "amount=80")
    assert second.returncode == 0, second.stdout + second.stderr
    entries = [json.loads(line) for line in (site.parent / "expense.jsonl").read_text().splitlines()]
    assert [entry["amount"] for entry in entries] == [120, 80]
    refused = mainspring(site, *command, "--input", "amount=900")
    assert refused.returncode == 0 and "900 is more than 500" in refused.stdout
    assert len((site.parent / "expense.jsonl").read_text().splitlines()) == 2


def test_without_the_plugin_its_workflow_is_told_what_is_missing(tmp_path: Path) -> None:
    checked = mainspring(tmp_path / "nothing", "validate", str(EXAMPLE / "expense.yaml"))
    assert checked.returncode == 2 and "MS205: unknown node type `ledger.book`" in checked.stderr
