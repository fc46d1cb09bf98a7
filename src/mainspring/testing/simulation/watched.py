"""One instance as the auditor follows it, row by row as rows become durable: a second, slower opinion on every event.

Each method takes one kind of event, says what is wrong with it, and only then makes it part of the picture. It shares no
code with the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mainspring.machine import events as ev
from mainspring.testing.simulation.oracle import Graph, Values, backoff_bounds, tries_again
from mainspring.testing.simulation.work import deed

if TYPE_CHECKING:
    from mainspring.testing.simulation.audit import Audit

CRASHES_MAX = 3
FINAL = frozenset({"completed", "failed", "skipped", "cancelled"})
ENDS = {
    "InstanceCompleted": "completed",
    "InstanceFailed": "failed",
    "InstanceCancelled": "cancelled",
}
TIMEOUT_KINDS = ("NodeTimeout", "TimeoutError", "builtins.TimeoutError", "Exception")


class WatchedNode(Struct):
    """What is known of a node. `since`: when (in virtual seconds) it came into its status."""

    status: str = "pending"
    run: int = 1
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    started_at: int = 0
    epoch: int = 0
    due: int | None = None
    messages: set[int] = msgspec.field(default_factory=set)
    tokens: int = 0
    mapped: Any = None
    is_mapped: bool = False
    output: Any = None
    error: Any = None
    since: float = 0.0
    crash_limit: bool = False


class Watched:
    """See the module's text. `now`, `at` and `epoch` are those of the row that is being looked at."""

    def __init__(self, audit: Audit, id: str, number: int, graph: Graph) -> None:
        self.audit = audit
        self.id = id
        self.number = number
        self.graph = graph
        self.nodes = {path: WatchedNode() for path in graph.nodes}
        self.status = "pending"
        self.seq = 0
        self.input: Any = None
        self.started_at = 0
        self.ended_at = 0
        self.variables: dict[str, Any] = {}
        self.unhandled = 0
        self.output: Any = None
        self.messages: set[str] = set()
        self.since = 0.0
        self.at = 0
        self.epoch = 0

    def flag(self, invariant: str, text: str) -> None:
        """Something is wrong."""
        self.audit.world.fail(invariant, f"{self.id} row {self.seq}: {text}")

    def must(self, holds: bool, invariant: str, text: str) -> None:
        """Flag it where it does not hold."""
        if not holds:
            self.flag(invariant, text)

    @property
    def open(self) -> bool:
        """Whether it is not at its end."""
        return not self.ended_at

    def values(self) -> Values:
        """What expressions see."""
        return Values(self.input, {path: node.output for path, node in self.nodes.items()})

    def turn(self, seq: int, at: int, message: str, events: list[Any], epoch: int) -> None:
        """A row has become durable."""
        self.must(seq == self.seq + 1, "rows have no gaps", f"row {seq} follows row {self.seq}")
        self.must(self.open, "final is final", f"a row after the end: {[type(one).__name__ for one in events]}")
        self.seq, self.at, self.epoch = seq, at, epoch
        if message:
            self.must(message not in self.messages, "a message has effect once", f"{message} again")
            self.messages.add(message)
        for event in events:
            check = CHECKS.get(type(event))
            if check is None:
                self.flag("known events", type(event).__name__)
            else:
                check(self, event)
        self._after()

    def _after(self) -> None:
        """What must hold between turns."""
        for path, node in self.nodes.items():
            if node.status == "running" and node.epoch < self.epoch:
                self.flag(
                    "crashes are counted", f"{path} still runs for epoch {node.epoch}, and epoch {self.epoch} goes on"
                )
            if node.status == "pending" and self.status == "running" and node.tokens == len(self.graph.incoming[path]):
                self.flag("no join waits for ever", f"{path} has all its tokens and is pending")
        if self.status == "running" and not any(node.status not in FINAL for node in self.nodes.values()):
            self.flag("the end is seen", "all nodes are final, and the instance is not")

    # --- nodes --------------------------------------------------------------------------------------------------------

    def move(self, node: WatchedNode, status: str) -> None:
        """The node's status changes."""
        node.status = status
        node.since = self.audit.world.scheduler.now

    def _joined(self, path: str, node: WatchedNode) -> None:
        incoming = self.graph.incoming[path]
        ended = all(self.nodes[edge.source].status in FINAL for edge in incoming)
        self.must(ended, "a join waits for all", f"{path} starts before its sources have ended")
        self.must(not incoming or bool(node.messages), "a join needs a message", f"{path} starts, and nothing fired")

    def _tokens(self, path: str, fired: set[int]) -> None:
        for edge in self.graph.outgoing[path]:
            target = self.nodes[edge.target]
            target.tokens += 1
            if edge.index in fired:
                target.messages.add(edge.index)

    def input_of(self, path: str) -> Any:
        """What the node must be given."""
        node = self.nodes[path]
        if node.is_mapped:
            return node.mapped
        payloads = {other: one.output if one.status == "completed" else one.error for other, one in self.nodes.items()}
        return self.graph.default_input(path, node.messages, payloads, self.input)

    def _ready(self, event: ev.NodeReady) -> None:
        node = self.nodes[event.path]
        if node.status == "pending":
            self._joined(event.path, node)
        self._due(event.path, node)
        self._not_stopping(event.path)
        self.move(node, "ready")

    def _not_stopping(self, path: str) -> None:
        self.must(self.status == "running", "nothing new starts", f"{path} starts in an instance that is {self.status}")

    def _due(self, path: str, node: WatchedNode) -> None:
        if node.status == "retrying" and node.due is not None and self.at < node.due:
            self.flag("no retry before its time", f"{path} starts {node.due - self.at} ms early")

    def _mapped(self, event: ev.InputMapped) -> None:
        node = self.nodes[event.path]
        template = self.graph.nodes[event.path].input
        got = msgspec.json.decode(event.input)
        if template is None:
            self.flag("inputs are right", f"{event.path} has no mapping")
            return
        source = template["y"].split(".")[1]
        other = self.nodes[source].output
        wanted = {"x": self.input["k"], "y": other.get("v") if isinstance(other, dict) else None}
        self.must(got == wanted, "inputs are right", f"{event.path} is mapped {got}, not {wanted}")
        node.mapped, node.is_mapped = got, True

    def _started(self, event: ev.NodeStarted) -> None:
        node = self.nodes[event.path]
        again = node.status == "waiting" and self.graph.nodes[event.path].type != "delay"
        self.must(
            again or node.status in ("pending", "ready", "retrying"),
            "a node starts once",
            f"{event.path} starts while it is {node.status}",
        )
        if node.status == "pending":
            self._joined(event.path, node)
        self._due(event.path, node)
        self._not_stopping(event.path)
        wanted = node.attempt + (not again)
        self.must(
            event.attempt == wanted, "attempts are counted", f"{event.path}: attempt {event.attempt}, not {wanted}"
        )
        self.must(event.run == node.run, "runs are counted", f"{event.path}: run {event.run}")
        retry = self.graph.retry_of(event.path)
        most = retry.max_attempts if retry is not None and retry.strategy != "none" else 1
        self.must(node.failures < most, "no attempt beyond maxAttempts", f"{event.path} after {node.failures} failures")
        self.must(node.crashes < CRASHES_MAX, "the crash limit holds", f"{event.path} after {node.crashes} crashes")
        node.attempt, node.started_at, node.epoch, node.due = event.attempt, self.at, self.epoch, None
        self.move(node, "running")

    def _waiting(self, event: ev.NodeWaiting) -> None:
        node = self.nodes[event.path]
        config = self.graph.nodes[event.path].config
        if event.what == "timer":
            wanted = self.at + config["duration"]
            self.must(event.until == wanted, "delays last", f"{event.path} waits until {event.until}, not {wanted}")
        else:
            self.must(event.what == "handler" and "absent" in config, "waits are named", f"{event.path}: {event.what}")
        node.due = event.until
        self.move(node, "waiting")

    def _report(self, path: str, event: Any) -> str:
        """The end of the attempt as the ledger has it."""
        node = self.nodes[path]
        self.must(node.status == "running", "results belong to a running attempt", f"{path} is {node.status}")
        self.must(
            (event.run, event.attempt) == (node.run, node.attempt),
            "results belong to the current attempt",
            f"{path}: a result of attempt {event.attempt}, and attempt {node.attempt} runs",
        )
        self.must(
            node.epoch == self.epoch, "results belong to this process", f"{path} was started by epoch {node.epoch}"
        )
        return self.audit.end_of((self.id, path, event.run, event.attempt), self.epoch)

    def _completed(self, event: ev.NodeCompleted) -> None:
        path, node, definition = event.path, self.nodes[event.path], self.graph.nodes[event.path]
        output = msgspec.json.decode(event.output)
        if definition.type == "function":
            end = self._report(path, event)
            mine = deed(self.audit.world.seed, definition, (self.id, path, event.run, event.attempt))
            self.must(end in ("ok", "abandoned"), "results come from work", f"{path} completes, and its work: {end!r}")
            self.must(
                (mine.kind, mine.value, mine.port) == ("ok", output, event.port),
                "outputs are right",
                f"{path} attempt {event.attempt}: {output} by {event.port}, but the work was {mine}",
            )
        else:
            wanted = self.input_of(path)
            self.must(output == wanted, "outputs are right", f"{path} hands on {output}, not {wanted}")
            if definition.type == "delay":
                self.must(node.status == "waiting", "delays last", f"{path} is {node.status}")
                self.must(
                    self.at >= (node.due or 0), "delays last", f"{path} ends {node.due} before its time, at {self.at}"
                )
        node.output, node.error, node.due = output, None, None
        fired, raising = self.graph.fired_by_completion(path, event.port, output, self.values())
        self._routed(path, node, set(event.fired), fired, raising)
        self.move(node, "completed")
        self._tokens(path, fired)

    def _routed(self, path: str, node: WatchedNode, got: set[int], wanted: set[int], raising: set[int]) -> None:
        self.must(got == wanted, "routing is right", f"{path} fires {sorted(got)}, not {sorted(wanted)}")
        self.audit.raising[self.id, path] = raising

    def _failed(self, event: ev.NodeFailed) -> None:
        path, node = event.path, self.nodes[event.path]
        error = _error(event.error)
        if event.error.type == "UnknownPort":
            mine = deed(self.audit.world.seed, self.graph.nodes[path], (self.id, path, event.run, event.attempt))
            self._report(path, event)
            known = {edge.port for edge in self.graph.outgoing[path]}
            self.must(
                mine.port not in known, "routing is right", f"{path} fails for port {mine.port!r}, and has {known}"
            )
        elif event.error.type == "CrashLimit":
            self.must(node.crashes >= CRASHES_MAX, "the crash limit holds", f"{path} after {node.crashes} crashes")
        else:
            again = self._attempt_failed(path, node, event)
            self.must(not again, "retries are made", f"{path} gives up after {node.failures + 1} failures")
        node.failures += 1
        node.error, node.due = error, None
        fired, raising = self.graph.fired_by_failure(path, error, self.values())
        self._routed(path, node, set(event.fired), fired, raising)
        self.must(event.handled == bool(fired), "handled is what fires", f"{path}: handled is {event.handled}")
        self.unhandled += not event.handled
        self.move(node, "failed")
        self._tokens(path, fired)

    def _attempt_failed(self, path: str, node: WatchedNode, event: Any) -> bool:
        """Look at the failure of an attempt, and say whether another one must follow."""
        fault: ev.ErrorRecord = event.error
        definition = self.graph.nodes[path]
        kinds: tuple[str, ...] = (fault.type, "Exception")
        end = self._report(path, event)
        if fault.type == "NodeTimeout":
            kinds = TIMEOUT_KINDS
            late = self.at - node.started_at - (definition.timeout or 0)
            self.must(late >= 0, "timeouts last", f"{path} times out {-late} ms early")
        else:
            mine = deed(self.audit.world.seed, definition, (self.id, path, event.run, event.attempt))
            self.must(
                (mine.kind, end) == (fault.type, "failed"),
                "failures come from work",
                f"{path}: {fault.type}, {mine}, {end!r}",
            )
        self.must(fault.attempt == event.attempt, "errors name their attempt", f"{path}: {fault}")
        return tries_again(self.graph.retry_of(path), node.failures + 1, fault.type, kinds, fault.fatal)

    def _retrying(self, event: ev.NodeRetrying) -> None:
        path, node = event.path, self.nodes[event.path]
        again = self._attempt_failed(path, node, event)
        node.failures += 1
        self.must(again, "no attempt beyond maxAttempts", f"{path} is to be tried again after {node.failures} failures")
        retry = self.graph.retry_of(path)
        if retry is not None:
            least, most = backoff_bounds(retry, node.failures)
            delay = event.due - self.at
            self.must(least <= delay <= most, "backoff is right", f"{path}: {delay} ms, not {least} to {most}")
        node.due = event.due
        node.error = _error(event.error)
        self.move(node, "retrying")

    def _routing_failed(self, event: ev.RoutingFailed) -> None:
        raising = self.audit.raising.get((self.id, event.path), set())
        self.must(
            event.connection in raising, "routing is right", f"{event.path}: connection {event.connection} failed"
        )
        self.unhandled += 1

    def _skipped(self, event: ev.NodesSkipped) -> None:
        for skip in event.skips:
            node = self.nodes[skip.path]
            self.must(node.status == "pending", "skips come before starts", f"{skip.path} is {node.status}")
            self.must(bool(skip.reason), "a skip has a reason", skip.path)
            if self.status == "running":
                full = node.tokens == len(self.graph.incoming[skip.path]) > 0
                self.must(full and not node.messages, "only dead paths are skipped", f"{skip.path}: {node}")
            self.move(node, "skipped")
            self._tokens(skip.path, set())

    def _cancelled(self, event: ev.NodesCancelled) -> None:
        self.must(self.status in ("failing", "cancelling"), "cancelled for a cause", f"the instance is {self.status}")
        for ref in event.runs:
            node = self.nodes[ref.path]
            self.must(
                node.status not in (*FINAL, "pending"), "only what is open is cancelled", f"{ref.path} is {node.status}"
            )
            self.move(node, "cancelled")
            self._tokens(ref.path, set())

    def _requeued(self, event: ev.NodesRequeued) -> None:
        for ref in event.runs:
            node = self.nodes[ref.path]
            self.must(node.status == "running", "only what runs is requeued", f"{ref.path} is {node.status}")
            wrong = self.audit.requeue_fault(node.epoch, self.epoch, event.crashed)
            self.must(not wrong, "crashes are counted", f"{ref.path}: {wrong}")
            node.crashes += event.crashed
            self.move(node, "ready")

    # --- the instance -------------------------------------------------------------------------------------------------

    def _begun(self, event: ev.InstanceStarted) -> None:
        self.must(self.seq == 1 and self.status == "pending", "an instance starts once", "started again")
        self.status = "running"
        self.input = msgspec.json.decode(event.input)
        self.variables = msgspec.json.decode(event.variables)
        self.started_at = self.at

    def _variables(self, event: ev.VariablesSet) -> None:
        self.variables.update(msgspec.json.decode(event.values))

    def _failing(self, event: ev.InstanceFailing) -> None:
        if event.because == "":
            late = self.at - self.started_at - (self.graph.workflow.timeout or 2**62)
            self.must(late >= 0, "timeouts last", f"the workflow times out {-late} ms early")
        else:
            self.must(self.graph.workflow.failure_policy == "fail_fast", "fails fast where told", event.reason)
        self.status = "failing"

    def _cancelling(self, event: ev.InstanceCancelRequested) -> None:
        self.must(bool(self.audit.world.cancels.get(self.id)), "cancelled for a cause", "nobody asked for it")
        self.status = "cancelling"

    def _ended(self, event: Any) -> None:
        status = ENDS[type(event).__name__]
        expected = {"failing": "failed", "cancelling": "cancelled"}.get(
            self.status, "failed" if self.unhandled else "completed"
        )
        self.must(status == expected, "the end is right", f"{status}, not {expected} ({self.unhandled} unhandled)")
        left = [path for path, node in self.nodes.items() if node.status not in FINAL]
        self.must(not left, "all nodes are final at the end", f"{left}")
        leaves = [path for path in self.nodes if not self.graph.outgoing[path]]
        outputs = {path: self.nodes[path].output for path in leaves if self.nodes[path].status == "completed"}
        wanted = outputs.get(leaves[0]) if len(leaves) == 1 else outputs
        self.output = msgspec.json.decode(event.output)
        self.must(self.output == wanted, "outputs are right", f"the instance gives {self.output}, not {wanted}")
        if self.graph.workflow.failure_policy == "fail_fast" and self.unhandled and status == "failed":
            self.must(self.status == "failing", "fails fast where told", "an unhandled failure, and all went on")
        self.status, self.ended_at = status, self.at
        self.since = self.audit.world.scheduler.now


def _error(error: ev.ErrorRecord) -> dict[str, Any]:
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "attempt": error.attempt,
        "maxAttempts": error.max_attempts,
        "context": msgspec.json.decode(error.context),
        "fatal": error.fatal,
    }


CHECKS: dict[type[ev.Event], Callable[[Watched, Any], None]] = {
    ev.InstanceStarted: Watched._begun,
    ev.InstanceFailing: Watched._failing,
    ev.InstanceCancelRequested: Watched._cancelling,
    ev.InstanceCompleted: Watched._ended,
    ev.InstanceFailed: Watched._ended,
    ev.InstanceCancelled: Watched._ended,
    ev.VariablesSet: Watched._variables,
    ev.InputMapped: Watched._mapped,
    ev.NodeReady: Watched._ready,
    ev.NodeStarted: Watched._started,
    ev.NodeWaiting: Watched._waiting,
    ev.NodeRetrying: Watched._retrying,
    ev.NodeCompleted: Watched._completed,
    ev.NodeFailed: Watched._failed,
    ev.RoutingFailed: Watched._routing_failed,
    ev.NodesSkipped: Watched._skipped,
    ev.NodesCancelled: Watched._cancelled,
    ev.NodesRequeued: Watched._requeued,
}
