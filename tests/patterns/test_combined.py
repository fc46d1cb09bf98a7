"""What the patterns do within one another stays what it is, whenever the process is killed: `combined.yaml` has the cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainspring.testing import Signal, kill_at_each_turn

CASES = list(yaml.safe_load_all((Path(__file__).parent / "combined.yaml").read_text("utf-8")))


@pytest.mark.parametrize("deaths", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"].replace(" ", "-"))
def test_kills_change_nothing(case: dict[str, Any], deaths: int, tmp_path: Path) -> None:
    assert case.keys() <= {"what", "signals", "status", "output", "workflow"}
    file = tmp_path / "combined.json"
    file.write_text(json.dumps({"id": "combined", **case["workflow"]}))
    signals = [Signal(**signal) for signal in case.get("signals", ())]
    result = kill_at_each_turn(file, signals=signals, deaths=deaths).result
    assert result.status == case.get("status", "completed")
    assert result.output == case["output"]
