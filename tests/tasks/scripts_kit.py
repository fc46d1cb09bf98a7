"""What all tests of scripts share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainspring.definition.model import Node
from mainspring.messaging.task import TaskCall
from mainspring.tasks.script import ScriptKind


async def run(call: TaskCall, folder: Path | str = ".", **config: Any) -> Any:
    """One attempt at a script node with this config."""
    prepared = ScriptKind().prepare(Node(id="s", type="script", config=config), str(folder))
    return await prepared.invoke(call)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        await asyncio.sleep(0.01)
