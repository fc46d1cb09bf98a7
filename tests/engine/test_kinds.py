"""N4, N5: the kinds of node that decide, from their files through the engine; what a log says reaches Python's logging."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import mainspring as ms

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "kinds"
SHARED = ROOT.parent / "shared" / "fixtures"

RUNS: list[tuple[str, Any, str, Any]] = [
    ("if.yaml", {"amount": 1500}, "completed", {"look": {"amount": 1500, "status": "to be looked at"}}),
    ("if.yaml", {"amount": 5}, "completed", {"through": {"amount": 5, "status": "accepted"}}),
    ("switch.yaml", {"amount": 500, "gift": True}, "completed", {"parcel", "wrap", "insure"}),
    ("switch.yaml", {"amount": 50, "gift": False}, "completed", {"letter"}),
    ("switch.yaml", {"amount": 0, "gift": True}, "completed", {"nothing", "wrap"}),
    ("transform.yaml", {}, "completed", "2 lines, 32 in all"),
    ("log.yaml", {"order": "o-7"}, "completed", {"order": "o-7"}),
    ("terminate.yaml", {"stock": 0}, "cancelled", {"stock": 0}),
    ("terminate.yaml", {"stock": 2}, "completed", {"reminder": {"stock": 2}, "ship": {"stock": 2}}),
    ("editor-style.json", {"amount": 500}, "completed", {"review"}),
    ("editor-style.json", {"amount": 20}, "completed", {"pay"}),
]


@pytest.mark.parametrize(("name", "input", "status", "output"), RUNS)
async def test_every_example_runs(name: str, input: Any, status: str, output: Any) -> None:
    async with ms.Engine("memory:") as engine:
        result = await (await engine.start(ms.load(EXAMPLES / name), input=input)).result()
    assert result.status == status
    assert (set(result.output) if isinstance(output, set) else result.output) == output


def test_every_kind_has_an_example() -> None:
    assert {name for name, *_ in RUNS} == {path.name for path in EXAMPLES.iterdir()} - {"README.md"}


async def test_a_log_is_heard_once_it_is_in_the_history(caplog: pytest.LogCaptureFixture) -> None:
    """N4."""
    with caplog.at_level(logging.DEBUG, "mainspring.workflow"):
        async with ms.Engine("memory:") as engine:
            handle = await engine.start(ms.load(EXAMPLES / "log.yaml"), input={"order": "o-7"}, key="k")
            await handle.result()
    said = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "mainspring.workflow"]
    assert said == [
        ("INFO", f"{handle.id}: came: order o-7 came in"),
        ("WARNING", f"{handle.id}: odd: o-7 has no customer"),
    ]


@pytest.mark.skipif(not SHARED.exists(), reason="the fixtures do not lie beside this checkout")
@pytest.mark.parametrize(("amount", "way", "other"), [(700, "review", "cool-off"), (20, "cool-off", "review")])
async def test_the_editors_file_runs_down_both_branches(
    amount: int, way: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 4, done 1: as it stands, with the functions that lie beside it."""
    monkeypatch.syspath_prepend(str(SHARED))
    async with ms.Engine("memory:") as engine:
        handle = await engine.start(ms.load(SHARED / "editor-style.json"), input={"amount": amount, "id": "r-1"})
        await handle.result()
        nodes = (await handle.state()).nodes
    assert (nodes["size"].status, nodes[way].status, nodes[other].status) == ("completed", "completed", "skipped")
    assert nodes["pay"].status == "completed"
