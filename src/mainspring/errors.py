"""Every error that mainspring raises on purpose. They speak to their reader: where, what, what was meant, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding


class MainspringError(Exception):
    """The base of all of them."""


class DefinitionError(MainspringError):
    """A definition that cannot run. `findings` lists everything that is wrong with it, each with its place."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(finding.text() for finding in self.findings))


class InputInvalid(MainspringError):
    """An input that does not match the workflow's inputSchema: nothing was started.

    `faults` lists what is wrong, each with its path: `input.items[2].price: -1 is less than the minimum of 0`.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(["the input does not match the workflow's inputSchema", *self.faults]))


class ExpressionError(MainspringError):
    """An expression that cannot be compiled, or that failed while it was evaluated.

    `position` is the 0-based offset in `text` at which the fault lies (None where no one place is to blame). Where the
    expression stands in a mapping, `path` says at which field, as in `items[0].price`.
    """

    def __init__(self, message: str, text: str = "", position: int | None = None) -> None:
        self.message = message
        self.text = text
        self.position = position
        self.path = ""
        super().__init__(message)

    def caret(self, width: int = 100) -> str:
        """The line with the fault and, on a second line, a caret below the fault. Empty where no place is to blame."""
        if self.position is None:
            return ""
        start = self.text.rfind("\n", 0, self.position) + 1
        end = self.text.find("\n", self.position)
        # One column for each character, whatever it would do to a terminal.
        line = "".join(
            one if one.isprintable() else " " for one in self.text[start : len(self.text) if end < 0 else end]
        )
        column = self.position - start
        if len(line) > width:
            first = max(0, min(column - width // 2, len(line) - width))
            before, after = "…" if first else "", "…" if first + width < len(line) else ""
            line, column = before + line[first : first + width] + after, column - first + len(before)
        return f"{line}\n{' ' * column}^"


class StoreError(MainspringError):
    """The store could not do what was asked."""


class NothingYet(StoreError):
    """There is no store there yet, and whoever only looks makes none."""


class StoreCorrupt(StoreError):
    """A record's checksum or form is wrong. Nothing was changed."""


class StoreTooNew(StoreError):
    """The store was written by a newer mainspring than this one."""


class NotOwner(StoreError):
    """This process no longer owns what it wanted to write: somebody with a later epoch does."""


class StoreHeld(StoreError):
    """Another live engine owns this store."""


class CommandRefused(MainspringError):
    """A command that the instance cannot take in the state it is in. Nothing was changed."""


class UnknownInstance(MainspringError):
    """There is no instance with this id in the store."""


class UnknownMoment(MainspringError):
    """No such place in the instance's journal: it says which there are."""


class HandlerNotFound(MainspringError):
    """A task's code cannot be found in this process."""


class PayloadError(MainspringError):
    """A value that cannot be stored. `path` says where in the value the fault lies, as in `output.items[3].price`."""

    def __init__(self, message: str, path: str = "") -> None:
        self.path = path
        super().__init__(message)


class PayloadTooLarge(PayloadError):
    """A value over `payload_bytes_max`."""
