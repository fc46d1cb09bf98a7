"""Every store file that was ever golden opens, folds to what it did when it was made, and its open instances go on."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

import mainspring as ms  # noqa: E402
from mainspring.journal import codec  # noqa: E402
from mainspring.machine import events as ev  # noqa: E402
from mainspring.stores.sqlite import SqliteStore  # noqa: E402
from tests.golden import make, work  # noqa: E402

FILES = sorted(HERE.glob("v*.db"), key=lambda path: int(path.stem[1:]))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copyfile(request.param, tmp_path / request.param.name)
    return tmp_path / request.param.name


def _expected(copy: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((HERE / copy.name).with_suffix(".json").read_bytes())
    return found


def _as_then(found: Any, then: Any) -> Any:
    """Without what has a place only since: keys, and fields at the end of structs that are arrays, at their defaults."""
    if isinstance(found, dict) and isinstance(then, dict):
        return {key: _as_then(found[key], value) for key, value in then.items() if key in found}
    if isinstance(found, list) and isinstance(then, list):
        kept = found[: len(then)] if not any(found[len(then) :]) else found
        return [_as_then(one, then[place]) if place < len(then) else one for place, one in enumerate(kept)]
    return found


async def test_it_folds_to_what_it_did(copy: Path) -> None:
    store = SqliteStore(str(copy))
    await store.open()
    found = msgspec.json.decode(make.json_text(await make.folded(store)))
    await store.close()
    expected = _expected(copy)
    assert found.keys() == expected.keys()
    for id, one in expected.items():
        if copy.name != FILES[-1].name:  # what has been there always may have a place in the state only since
            found[id]["state"] = _as_then(found[id]["state"], one["state"])
        assert found[id] == one, id


async def test_its_open_instances_run_to_their_ends(copy: Path) -> None:
    work.blocks = False
    async with ms.Engine(f"sqlite:///{copy}") as engine, asyncio.timeout(20):
        for id, one in _expected(copy).items():
            result = await (await engine.get(id)).result()
            if one["record"]["open"]:
                expected = "failed" if one["record"]["status"] == "compensating" else "completed"
                assert result.status == ("cancelled" if one["inbox"] else expected), id
            else:
                assert result.status == one["record"]["status"], id
        facts = await engine.facts()
    assert facts.open == 0


def test_the_present_version_has_a_file_with_every_event() -> None:
    assert FILES[-1].name == f"v{codec.VERSION}.db", (
        "a new codec version needs a golden file: python -m tests.golden.make"
    )
    there = {name for one in _expected(FILES[-1]).values() for name in one["events"]}
    assert there == {kind.__name__ for kind in get_args(ev.AnyEvent)}
    assert FILES[-1].stat().st_size < 250_000


def test_it_holds_snapshots_blobs_mail_and_sleepers() -> None:
    ones = _expected(FILES[-1]).values()
    assert any(one["snapshot"] for one in ones)
    assert any(one["blobs"] for one in ones)
    assert any(one["inbox"] for one in ones)
    assert any(one["record"].get("wake_at") for one in ones)
    assert any(one["record"].get("parent") for one in ones)
    assert any(one["state"].get("waits") for one in ones)
    assert any(one["state"].get("kept") for one in ones)
    assert any(one["state"].get("saga", {}).get("doing") for one in ones)
    assert any(one["state"].get("scopes") for one in ones)
    statuses = {one["record"]["status"] for one in ones}
    assert statuses >= {"completed", "failed", "cancelled", "running", "partial_success", "compensated"}
