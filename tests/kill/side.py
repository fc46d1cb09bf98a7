"""The side file: what ran, and what was acknowledged, told by those who did it and not by the store.

`X KEY ATTEMPT`: a task began (its key is instance/node/run). `S ID`: a start was acknowledged. `G ID`: a signal was. `E ID
STATUS`: an end was. `B EPOCH PID`: an engine is up, with that session. `P POINT`: a process is about to be killed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Place = tuple[str, str]  # instance, node


@dataclass
class News:
    """What came since it was last asked for."""

    ran: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Instance, node, run and attempt."""
    started: set[str] = field(default_factory=set)
    signalled: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    sessions: dict[int, int] = field(default_factory=dict)
    """The process of each session."""
    points: list[str] = field(default_factory=list)


class Side:
    """The file, read on from where it was read to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0
        path.touch()

    def size(self) -> int:
        """Bytes written by now."""
        return self.path.stat().st_size

    def news(self) -> News:
        """The whole lines that came since."""
        with self.path.open("rb") as file:
            file.seek(self._at)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._at += len(text)
        found = News()
        for line in text.decode().splitlines():
            kind, what, *rest = line.split(" ")
            if kind == "X":
                instance, path, run = what.rsplit("/", 2)
                found.ran.append((instance, path, int(run), int(rest[0])))
            elif kind == "S":
                found.started.add(what)
            elif kind == "G":
                found.signalled.add(what)
            elif kind == "E":
                found.ended[what] = rest[0]
            elif kind == "B":
                found.sessions[int(what)] = int(rest[0])
            else:
                found.points.append(" ".join([what, *rest]))
        return found
