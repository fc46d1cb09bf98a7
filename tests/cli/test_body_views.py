"""The live view with blocks in it: in a real terminal, and how much of a wide loop is looked at."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import subprocess
import sys
from typing import Any

import mainspring as ms
from mainspring.assembly import open_store
from mainspring.cli import body_lines, body_words, live_view, plain_lines
from mainspring.cli.look import Screen
from mainspring.cli.watching import tally
from mainspring.machine.instance import Instance
from tests.cli.shell import Shell

WIDE = 3_000


def test_a_terminal_shows_how_far_blocks_are_and_what_is_under_way_in_them(shell: Shell) -> None:
    shell.write(
        "gates.yaml",
        """
        id: gates
        nodes:
          - id: loop
            type: forEach
            config:
              items: 7
              concurrency: 6
              body: [{id: gate, type: function, config: {handler: "jobs:gate"}}]
          - id: both
            type: parallel
            config:
              branches:
                - {name: prices, nodes: [{id: ask, type: function, config: {handler: "jobs:gate"}}]}
                - [{id: say, type: log, config: {message: hello}}]
        """,
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", "run", "gates.yaml"],
        cwd=shell.folder, env=shell.env(NO_COLOR="1", COLUMNS="100", LINES="30"), stdout=theirs, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    said = _until(ours, "open: prices", "loop[3].gate", "7 bodies open  7 running")
    assert "forEach 0/7, 6 at once" in said and "both[0].ask" in said
    assert "parallel 1/2, open: prices" in said
    assert "loop[4].gate" not in said, "four rows for a block, no more"
    (shell.folder / "open").touch()
    assert "✓ loop" in _until(ours, "gates completed")
    assert process.wait(20) == 0
    os.close(ours)


def _until(terminal: int, *texts: str) -> str:
    said = ""
    while not all(text in said for text in texts):
        said += os.read(terminal, 65_536).decode(errors="replace")
    return said


class _Held:
    """What the bodies of a wide loop wait for. Made anew for each test."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.inside = 0
        self.full = asyncio.Event()


_held: list[_Held] = []


async def hold(n: int) -> int:
    """Waits until it is let go; one in a hundred fails then."""
    held = _held[-1]
    held.inside += 1
    if held.inside == WIDE:
        held.full.set()
    await held.gate.wait()
    if n % 100 == 1:
        raise ValueError(f"{n} is odd")
    return n


def wide() -> tuple[_Held, ms.Workflow]:
    """A loop of which all bodies are open at once."""
    _held.append(_Held())
    body: list[Any] = [{"id": "n", "type": "function", "config": {"handler": hold}, "input": {"n": "${ item }"}}]
    config = {"items": WIDE, "concurrency": WIDE, "onError": "collect", "body": body}
    return _held[-1], ms.Workflow("wide", nodes=[ms.Node("loop", "forEach", config=config)])


async def test_no_more_is_looked_at_than_anybody_can_see() -> None:
    held, workflow = wide()
    screen = Screen(io.StringIO())
    async with ms.Engine("memory:") as engine:
        handle = await engine.start(workflow)
        await held.full.wait()
        result = engine.peek(handle.id)
        assert result is not None
        instance: Instance = result.instance
        assert len(instance.open) == len(result.open_bodies) == WIDE
        assert tally(instance).running == body_words.NODES_LOOKED_AT_MAX < WIDE
        assert len(list(body_words.inside(result.nodes["loop"], body_words.Budget()))) == body_words.NODES_LOOKED_AT_MAX
        rows = list(live_view.LiveView(screen)._rows(instance, [0]))
        assert [row.node.path for row in rows] == [
            "loop",
            *(f"loop[{k}].n" for k in range(live_view.ROWS_OF_A_BLOCK_MAX)),
        ]
        told = result.nodes["loop"].bodies
        assert told is not None and (told.begun, told.open, told.completed, told.failed, told.total) == (
            WIDE,
            WIDE,
            0,
            0,
            WIDE,
        )
        assert result.nodes["loop[7].n"].input == {"n": 7}
        held.gate.set()
        ended = await engine.wait(handle.id)
    node = ended.nodes["loop"]
    assert ended.open_bodies == {} and node.bodies is not None
    assert (node.bodies.begun, node.bodies.open, node.bodies.failed) == (WIDE, 0, WIDE // 100)
    assert [address for address, _ in node.body_errors()][:3] == ["loop[1]", "loop[101]", "loop[201]"]
    assert next(node.body_errors())[1].message == "1 is odd"


async def test_a_pipe_stops_reading_the_journal_where_there_is_too_much_of_it() -> None:
    held, workflow = wide()
    held.gate.set()
    stream, store = io.StringIO(), open_store("memory:")
    async with ms.Engine(store) as engine:
        handle = await engine.start(workflow)
        instance = engine.peek(handle.id)
        assert instance is not None
        lines = plain_lines.Lines(Screen(stream))
        lines.begin("wide", handle.id, 0)
        lines.seen(instance.instance, 0)
        await engine.wait(handle.id)
        pages = 0
        while await lines.read(store):
            pages += 1
    assert 0 < pages <= body_lines.ROWS_READ_MAX // body_lines.ROWS_A_LOOK
    told = [line.split()[1] for line in stream.getvalue().splitlines() if "loop[" in line]
    assert told == ["loop[0].n", "loop[1].n", "loop[2].n"]
