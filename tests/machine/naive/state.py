"""What the interpreter keeps of a node and of its runs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from .values import Message, error_of

if TYPE_CHECKING:
    from .passes import Passes
    from .scopes import Scope

FINAL = ("completed", "failed", "skipped", "cancelled", "compensating", "compensated", "compensation_failed")


class Run:
    """One run of a node: what it took, and how it ended (status "" until then)."""

    def __init__(self, scope: Scope, node: str, number: int, taken: list[Message]) -> None:
        self.scope = scope
        self.node = node
        self.number = number
        self.taken = taken
        self.input: Any = None
        self.variables: dict[str, Any] = {}
        self.status = ""
        self.output: Any = None
        self.error: dict[str, Any] | None = None
        self.port: str | None = None
        self.ports: tuple[str | None, ...] = (None,)
        self.fired: list[int] = []
        self.routing_faults = 0
        self.doomed = False
        self.asks = False
        self.passes: Passes | None = None
        self.names: list[str] | str = ""
        self.tries = 0
        self.came: Any = None
        self.falling = False
        self.degraded = False
        self.own_error: dict[str, Any] | None = None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What it has to begin: its fallbacks, once it failed, or else its bodies."""
        found: list[dict[str, Any]] = self.spec["fallbacks"] if self.falling else self.spec["block"]["bodies"]
        return found

    @property
    def spec(self) -> dict[str, Any]:
        """The node as the graph has it."""
        return self.scope.shape.nodes[self.node]

    @property
    def key(self) -> tuple[str, int]:
        """Who it is: its node's address and its number."""
        return self.scope.prefix + self.node, self.number

    @property
    def unhandled(self) -> int:
        """The failures that this run's end brought and nobody took care of."""
        return self.routing_faults + (self.status == "failed" and not self.fired)

    def completes(self, output: Any, *ports: str | None) -> None:
        """It ends well, by the primary output or by these ports."""
        self.status, self.output, self.ports = "completed", output, ports or (None,)
        self.port = self.ports[0]

    def fails(self, type: str, fatal: bool = False, code: str | None = None) -> None:
        """It fails for good."""
        self.status, self.error = "failed", {**error_of(type, fatal), "code": code}

    def fails_with(self, error: dict[str, Any]) -> None:
        """It fails as something within it did."""
        self.status, self.error = "failed", {**error, "fatal": False}

    def times_out(self) -> None:
        """It leaves by its port `timeout` with its input, or fails where no connection leaves by that."""
        if any(self.scope.shape.edges[index]["port"] == "timeout" for index in self.scope.shape.outgoing[self.node]):
            self.completes(self.input, "timeout")
        else:
            self.fails("NodeTimeout")


class NodeState:
    """A node under way through the graph: pending, chosen (it starts in this wave), running, gathering, or final.

    `bodies`: how many bodies it has begun, over all of its runs.
    """

    def __init__(self, id: str, ports: list[str | None]) -> None:
        self.id = id
        self.status = "pending"
        self.inbox: dict[str | None, deque[Message]] = {port: deque() for port in ports}
        self.runs: list[Run] = []
        self.bodies = 0

    @property
    def final(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in FINAL

    @property
    def busy(self) -> bool:
        """Whether a run has been taken and has not ended."""
        return bool(self.runs) and not self.runs[-1].status

    @property
    def begun(self) -> bool:
        """Whether a run of it has begun: one that was chosen, and has not begun, does not count."""
        return len(self.runs) > (self.status == "chosen")

    @property
    def waiting(self) -> int:
        """How many messages are in the inbox."""
        return sum(len(queue) for queue in self.inbox.values())

    @property
    def completed(self) -> list[Run]:
        """The runs that ended well."""
        return [run for run in self.runs if run.status == "completed"]

    @property
    def failures(self) -> list[Run]:
        """The runs that did not."""
        return [run for run in self.runs if run.status == "failed"]

    def output(self, repeats: bool) -> Any:
        """What it came to: one output, or the list of them."""
        outputs = [run.output for run in self.completed]
        if repeats:
            return outputs if self.status in ("completed", "failed") else None
        return outputs[0] if outputs else None

    @property
    def error(self) -> dict[str, Any] | None:
        """The error of the first run that failed."""
        return self.failures[0].error if self.failures else None

    def takes(self, scope: Scope, taken: list[Message]) -> Run:
        """The next run begins to be."""
        self.runs.append(Run(scope, self.id, len(self.runs) + 1, taken))
        return self.runs[-1]
