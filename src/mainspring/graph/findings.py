"""What the checks of a graph have found so far."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from mainspring.definition.bounds import findings_max, hints_max
from mainspring.definition.findings import Finding, Pointer, did_you_mean, finding


class Findings:
    """What was found, each with the offset into the text it points at (None where it is not about text)."""

    def __init__(self, around: Findings | None = None) -> None:
        self.all: list[tuple[Finding, int | None]] = []
        self.hints: int = around.hints if around is not None else 0
        self.before: int = around.count if around is not None else 0

    @property
    def count(self) -> int:
        """How many there are, those of the graphs around included."""
        return self.before + len(self.all)

    @property
    def full(self) -> bool:
        """Whether there are more than will be listed, so that it is no use to look for others."""
        return self.count > findings_max

    def hint(self, word: str, known: Collection[str]) -> str | None:
        """What was perhaps meant; for the first `hints_max` words."""
        self.hints += 1
        return did_you_mean(word, known) if self.hints <= hints_max else None

    def report(self, code: str, message: str, at: Pointer, hint: str | None = None, offset: int | None = None) -> None:
        self.all.append((finding(code, message, at, hint), offset))

    def add(self, within: Findings, at: Pointer) -> None:
        """What was found in a graph of its own that stands at a place of this one."""
        self.hints = within.hints
        self.all += [(replace(found, pointer=(*at, *found.pointer)), offset) for found, offset in within.all]
