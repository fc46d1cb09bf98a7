"""The examples of the workflow patterns, and what each says of itself in its `metadata.pattern`.

`trace` is that of a plain run (no input, no signals), `status` how it ends (completed, unless told). `cases` are runs with
more: `input`, `signals` (`after`, `name`, `payload`, `kind`), and the `trace` and `status` that they lead to. How traces are
written is told in `mainspring.testing.tracing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mainspring.testing.killing import Signal

FOLDER = Path(__file__).parents[2] / "examples" / "patterns"
FILES = sorted(FOLDER.glob("*.yaml"))


@dataclass(frozen=True)
class Case:
    """One run of an example, and what must come of it."""

    file: Path
    number: int
    input: Any
    signals: tuple[Signal, ...]
    trace: list[Any]
    status: str

    def __str__(self) -> str:
        return f"{self.file.stem}-{self.number}" if self.number else self.file.stem

    @property
    def plain(self) -> bool:
        """Whether it is what anybody sees who runs the file and does nothing else."""
        return self.number == 0


def told(file: Path) -> dict[str, Any]:
    """The example's `metadata.pattern`."""
    pattern: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))["metadata"]["pattern"]
    return pattern


def cases(file: Path) -> list[Case]:
    """All runs of an example, the plain one first."""
    pattern = told(file)
    extra = set(pattern) - {"number", "name", "trace", "status", "cases"}
    assert not extra, f"{file.name}: nobody reads {extra}"
    return [_case(file, number, tree) for number, tree in enumerate([pattern, *pattern.get("cases", ())])]


def _case(file: Path, number: int, tree: dict[str, Any]) -> Case:
    if number:
        extra = set(tree) - {"input", "signals", "trace", "status"}
        assert not extra, f"{file.name}: nobody reads {extra}"
    signals = tuple(Signal(**signal) for signal in tree.get("signals", ()))
    return Case(file, number, tree.get("input"), signals, tree["trace"], tree.get("status", "completed"))


CASES = [case for file in FILES for case in cases(file)]
