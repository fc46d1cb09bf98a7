"""The command line's reference is click's own, and each example in it (and so in each `--help`) is run.

"Docs by intent, tested": a command, an option or an exit code that is not in the page fails here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from tests import warm

ROOT = Path(__file__).parents[2]


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_reference", ROOT / "tools" / "cli_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool()

RECORDED = {
    "name": "montage",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "project", "id": "project", "parents": [], "children": ["add"]},
                {"name": "add", "id": "add", "parents": ["project"], "children": []},
            ]
        },
        "execution": {
            "tasks": [{"id": "project", "runtimeInSeconds": 0.5}, {"id": "add", "runtimeInSeconds": 0.25}],
            "makespanInSeconds": 0.75,
        },
    },
}


FAILS = """
id: fails
nodes:
  - {id: pay, type: log}
  - {id: ship, type: transform, config: {output: "${ 1 / 0 }"}, dependsOn: [pay]}
"""


LOOP = """
id: charges
nodes: [{id: loop, type: forEach, config: {items: 4, body: [{id: charge, type: log, config: {message: paid}}]}}]
"""


ASKS = """
id: asks
nodes:
  - {id: payment, type: wait, config: {signal: paid}}
  - {id: consent, type: wait, config: {approval: manager}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples speak of: an order, its input, more workflows, a recorded one, `mainspring` and `jq` on the PATH."""
    made = tmp_path_factory.mktemp("examples")
    for file in ("order.yaml", "orders.py"):
        shutil.copy(ROOT / "examples" / "order" / file, made)
    (made / "order.json").write_text('{"amount": 30}')
    (made / "workflows").mkdir()
    for name in ("one", "two"):
        (made / "workflows" / f"{name}.yaml").write_text(f"id: {name}\nnodes: [{{id: say, type: log}}]\n")
    (made / "workflows" / "charges.yaml").write_text(LOOP)
    (made / "montage.json").write_text(json.dumps(RECORDED))
    programs = made / "bin"
    programs.mkdir()
    warm.program(programs / "mainspring")
    (programs / "jq").write_text("#!/bin/sh\nexec cat\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    return made


def _bash(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAINSPRING_")}
    env["PATH"] = f"{folder / 'bin'}:{env['PATH']}"
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_example_of_every_command_runs(folder: Path) -> None:
    assert _bash("mainspring run order.yaml --key 7f3k-done", folder).returncode == 0
    assert _bash("mainspring run workflows/charges.yaml --key 2b1d", folder).returncode == 0
    ran, left = 0, ""
    for name, command in TOOL.commands():
        lines = [line for line in TOOL.parts(command)[1] if not line.startswith("#")]
        assert lines, f"{name} has no example"
        for line in lines:
            if line.startswith("cd "):
                continue
            place = folder / "expenses" if "expense.yaml" in line else folder
            if line.startswith(("mainspring cancel", "mainspring pause order")):  # needs one that is open
                left = f"open{ran}"
                _leave_one_open(folder, left)
                line = line.replace("order-7f3k", f"waits:{left}")
            if line.startswith("mainspring resume"):  # what was paused last
                line = line.replace("order-7f3k", f"waits:{left}")
            if line.startswith(
                ("mainspring signal", "mainspring approve", "mainspring reject")
            ):  # needs one that waits
                _leave_one_waiting(folder, line.split()[1])
                line = line.replace("order-7f3k", f"asks:{line.split()[1]}")
            if line.startswith("mainspring compensate"):  # needs one that has something left
                (folder / "trip.yaml").write_text(TRIP)
                assert _bash("mainspring run trip.yaml --key left", folder).returncode == 1
                line = line.replace("trip-7f3k", "trip:left")
            if line.startswith(("mainspring deadletters show", "mainspring deadletters requeue")):  # needs a letter
                _leave_one_condemned(folder)
                line = line.replace("order-7f3k", "kills:dead")
            if line.startswith(("mainspring retry", "mainspring skip", "mainspring complete")):  # one that has failed
                ran_by_hand = f"fails:{ran}"
                (folder / "fails.yaml").write_text(FAILS)
                assert _bash(f"mainspring run fails.yaml --key {ran}", folder).returncode == 1
                line = line.replace("order-7f3k", ran_by_hand)
            if line.startswith("mainspring migrate"):  # one under way, by a version that the file has no more
                line = _leave_one_of_another_version(folder, line)
            if line.startswith("mainspring rerun") and "--with" in line:
                (folder / "order.yaml").write_text((folder / "order.yaml").read_text() + "description: newer\n")
            if line.startswith("mainspring set"):
                _leave_one_open(folder, "set")
                line = line.replace("order-7f3k", "waits:set")
            if line.startswith("mainspring breaker close"):  # needs one that is known
                assert _bash("mainspring breaker open payments", folder).returncode == 0
            line = line.replace("order-7f3k", "order:7f3k").replace("charges-2b1d", "charges:2b1d")
            done = _bash(f"export PATH={folder / 'bin'}:$PATH; {line}", place)
            ends = 1 if line.startswith("mainspring compensate") else 0  # the trip has failed, whatever is undone of it
            assert done.returncode == ends, (line, done.stdout, done.stderr)
            ran += 1
    assert ran >= 25
    assert (folder / "order.svg").read_text().startswith("<svg")
    assert json.loads((folder / "workflow.schema.json").read_text())["$schema"]


TRIP = """
id: trip
nodes:
  - {id: book, type: log, compensationNodeId: unbook}
  - {id: pay, type: script, config: {runtime: python, code: "raise SystemExit(1)"}, dependsOn: [book]}
  - {id: unbook, type: script, config: {runtime: python, code: "raise SystemExit(1)"}}
"""


KILLS = """
id: kills
nodes: [{id: kill, type: script, config: {runtime: python, code: "import os; os.kill(os.getppid(), 9)"}}]
"""


def _leave_one_condemned(folder: Path) -> None:
    """The process ends in its node each time, until the node is given up."""
    (folder / "kills.yaml").write_text(KILLS)
    for _ in range(5):
        if _bash("mainspring run kills.yaml --key dead", folder).returncode == 1:
            return
    raise AssertionError("it was not given up")


def _leave_one_open(folder: Path, key: str = "open") -> None:
    """An engine that is killed: its instance stays open."""
    (folder / "waits.yaml").write_text('id: waits\nnodes: [{id: wait, type: delay, config: {duration: "1h"}}]\n')
    process = subprocess.Popen(
        [*warm.command(), "run", "waits.yaml", "--key", key],
        cwd=folder, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline().startswith("waits")
    process.kill()
    process.communicate()


def _leave_one_of_another_version(folder: Path, line: str) -> str:
    (folder / "asks.yaml").write_text(ASKS)
    assert _bash("mainspring run asks.yaml --key moved", folder).returncode == 5
    (folder / "asks.yaml").write_text(ASKS + "description: newer\n")
    return line.replace("order.yaml", "asks.yaml").replace("order-7f3k", "asks:moved")


def _leave_one_waiting(folder: Path, key: str) -> None:
    """It waits for a signal and for an approval; nobody sends them here, so the run stops and says so."""
    (folder / "asks.yaml").write_text(ASKS)
    assert _bash(f"mainspring run asks.yaml --key {key}", folder).returncode == 5


def test_the_page_is_made_from_the_code() -> None:
    text = TOOL.DOCUMENT.read_text("utf-8")
    assert TOOL.rendered(text) == text, "run python tools/cli_reference.py"
    for name, _ in TOOL.commands():
        assert f"\n## mainspring {name}\n" in text


def test_a_command_without_a_place_and_a_place_without_a_command_are_found() -> None:
    text = TOOL.DOCUMENT.read_text("utf-8")
    with pytest.raises(SystemExit, match="no place for doctor"):
        TOOL.rendered(text.replace("<!-- begin doctor -->", ""))
    with pytest.raises(SystemExit, match="which is no command"):
        TOOL.rendered(text + "<!-- begin serve -->\n<!-- end serve -->\n")
