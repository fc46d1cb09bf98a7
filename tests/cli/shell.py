"""The commands as a person has them: real processes in a folder of their own, with tasks that wait for a file."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests import warm

TASKS = """
import asyncio, os, pathlib, time
import mainspring as ms

@ms.task
async def quick(ctx: ms.TaskContext):
    with open("ran.log", "a") as log:
        log.write(ctx.idempotency_key.split("/")[1] + "\\n")
    return {"ok": True}

@ms.task
async def gate(ctx: ms.TaskContext):
    '''Waits until the file `open` is there.'''
    with open("ran.log", "a") as log:
        log.write("gate\\n")
    print("at the gate", flush=True)
    while not os.path.exists("open"):
        await asyncio.sleep(0.01)
    return {"through": True}

@ms.task
def blocked():
    pathlib.Path("blocked").touch()
    print("blocked", flush=True)
    time.sleep(3600)

@ms.task
def boom(ctx: ms.TaskContext):
    raise ValueError("no such \\x1b[31mthing")

@ms.task
async def echo(value=None, deep=None):
    print("hello from a task")
    return {"value": value, "deep": deep}
"""

WORKFLOWS = {
    "echo": """
        id: echo
        nodes: [{id: say, type: function, config: {handler: "jobs:echo"}}]
        """,
    "gated": """
        id: gated
        nodes:
          - {id: first, type: function, config: {handler: "jobs:quick"}}
          - {id: wait, type: function, config: {handler: "jobs:gate"}, dependsOn: [first]}
          - {id: last, type: function, config: {handler: "jobs:quick"}, dependsOn: [wait]}
        """,
    "blocked": """
        id: blocked
        nodes: [{id: block, type: function, config: {handler: "jobs:blocked"}}]
        """,
    "boom": """
        id: boom
        nodes:
          - {id: go, type: function, config: {handler: "jobs:quick"}}
          - {id: parse, type: function, config: {handler: "jobs:boom"}, dependsOn: [go],
             retry: {strategy: fixed, maxAttempts: 2, initialDelay: 1ms, jitter: 0}}
          - {id: store, type: function, config: {handler: "jobs:quick"}, dependsOn: [parse]}
        """,
    "lost": """
        id: lost
        nodes:
          - {id: a, type: function, config: {handler: "nowhere:a"}}
          - {id: b, type: function, config: {handler: "jobs:bom"}}
        """,
}


ANEW = [sys.executable, "-m", "mainspring"]


class Shell:
    """Runs `mainspring` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def env(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MAINSPRING_") and k != "NO_COLOR"}
        return {**kept, "PYTHONUNBUFFERED": "1", "TERM": "xterm", **more}

    def __call__(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        anew = any(name.startswith("PYTHON") for name in env)  # which Python reads when it starts
        return subprocess.run(
            [*(ANEW if anew else warm.command()), *args],
            cwd=self.folder, env=self.env(**env), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def start(self, *args: str, anew: bool = False) -> subprocess.Popen[str]:
        """`anew`: it is known to others by the `pid` of what is given."""
        process = subprocess.Popen(
            [*(ANEW if anew else warm.command()), *args],
            cwd=self.folder, env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text))

    def ran(self) -> list[str]:
        return (self.folder / "ran.log").read_text().split()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read stdout up to a line with this text."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(
        f"{text!r} never came; stdout was {seen!r}, stderr {process.stderr and process.stderr.read()!r}"
    )
