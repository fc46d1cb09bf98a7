"""What goes wrong in a run, and how one particular run is named so that it can be had again.

A run is decided by four things: what goes wrong, which of the modelled outputs are given, in which order things happen, and
where the process dies. `Case` has them all, and is written as `charge=error+ship=timeout@v1.s0-2.k7`.
"""

from __future__ import annotations

import re

from msgspec import Struct

from mainspring.errors import MainspringError

WAYS = {
    "error": "fails for good",
    "once": "fails at its first attempt",
    "timeout": "never answers",
    "second": "fails when it runs for the second time",
    "rejected": "is rejected",
    "unanswered": "gets no answer",
}
"""The ways in which a node may go wrong, in words. `port-NAME` is one more: it leaves by that port."""

PORT = "port-"

_token = re.compile(r"(?P<faults>[^@]*)@v(?P<variant>\d+)\.s(?P<order>[\d-]*)(?:\.k(?P<killed>\d+))?")


class Fault(Struct, frozen=True, order=True):
    """One node goes wrong in one way. `workflow` is the id of a subflow's definition ("" for the one that is checked)."""

    workflow: str
    place: str
    way: str

    @property
    def name(self) -> str:
        """The node, as people call it: `charge`, `loop[].charge`, `child/charge`."""
        return f"{self.workflow}/{self.place}" if self.workflow else self.place

    def words(self) -> str:
        """As `charge fails for good`."""
        if self.way.startswith(PORT):
            return f"{self.name} leaves by {self.way[len(PORT) :]}"
        return f"{self.name} {WAYS[self.way]}"

    def token(self) -> str:
        """As `charge=error`."""
        return f"{self.name}={self.way}"


class Case(Struct, frozen=True):
    """One run. `order` has a choice for each moment at which several things could happen next; where it ends, the first of
    them does. `killed`: after so many writes to the store the process dies (None: it lives)."""

    faults: tuple[Fault, ...] = ()
    variant: int = 0
    order: tuple[int, ...] = ()
    killed: int | None = None

    def token(self) -> str:
        """What `--replay` takes."""
        faults = "+".join(fault.token() for fault in self.faults)
        killed = "" if self.killed is None else f".k{self.killed}"
        return f"{faults}@v{self.variant}.s{'-'.join(map(str, self.order))}{killed}"


class BadToken(MainspringError):
    """What was given to be replayed names no run of this workflow."""


def parse(token: str, known: dict[str, Fault]) -> Case:
    """The case of a token. `known` has the workflow's faults by their tokens. Raises BadToken."""
    match = _token.fullmatch(token.strip())
    if match is None:
        raise BadToken(f"{token!r} names no run; give what a report printed, such as charge=error@v0.s0-1.k7")
    named = [name for name in match["faults"].split("+") if name]
    for name in named:
        if name not in known:
            node = name.partition("=")[0]
            ways = [one.way for one in known.values() if one.name == node]
            there = f"it has {', '.join(ways)}" if ways else f"there is no node {node!r} that could"
            raise BadToken(f"{name!r} is no way in which this workflow can fail: {there}")
    order = tuple(int(part) for part in match["order"].split("-") if part)
    killed = None if match["killed"] is None else int(match["killed"])
    return Case(tuple(known[name] for name in named), int(match["variant"]), order, killed)
