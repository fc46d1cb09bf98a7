"""What a person does to single nodes: have one run again, skip it, end it by hand; and to the variables (SEMANTICS 93 to 98).

Each begins with an `Intervened`, which says who did what and why: that is the audit, in the journal like everything else.
"""

from __future__ import annotations

from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs, waves
from mainspring.machine.children import cancel_child
from mainspring.machine.commands import migrating, reopening
from mainspring.machine.commands.reopening import OPEN
from mainspring.machine.instance import Instance
from mainspring.machine.leases import given_back
from mainspring.machine.lifecycle import ACTIVE, INSTANCE, INSTANCE_FINAL
from mainspring.machine.nodes import running
from mainspring.machine.policies import failure
from mainspring.machine.scope import NodeState, Scope
from mainspring.machine.stopping import stop_nodes
from mainspring.machine.turn import Refused, Turn


def skip_node(turn: Turn, request: inputs.SkipNode) -> None:
    """The node is not to run (again): what is under way of it is stopped, and it puts skips on its connections."""
    scope, node, state = _meant(turn, request.path, request.run)
    again = _reset_for(turn, scope, node, state)
    if not again and state is not None and state.status not in ("pending", *ACTIVE):
        raise Refused(f"{request.path} is {state.status}: there is nothing to skip")
    why = f"skipped by {request.by}" if request.by else "skipped by hand"
    _begin(turn, "skip", request, again)
    turn.scope = scope
    stop_nodes(turn, [node], f"{why}: {request.reason}" if request.reason else why, "")
    _follow(turn, scope, node, again)


def complete_node(turn: Turn, request: inputs.CompleteNode) -> None:
    """The node is done, with this output: somebody did its work, or knows what it came to."""
    scope, node, state = _meant(turn, request.path, request.run)
    again = _reset_for(turn, scope, node, state)
    if not again and state is not None and state.status not in ("pending", *ACTIVE):
        raise Refused(f"{request.path} is {state.status}: it cannot be ended again")
    if node.index in scope.blocks:
        raise Refused(f"{request.path} has bodies under way: end these, or skip it")
    if request.port is not None and request.port not in node.ports:
        known = ", ".join(sorted(node.ports)) or "none"
        raise Refused(f"{request.path} has no port {request.port!r} (its connections have: {known})")
    faults = () if node.output_check is None else node.output_check(request.output)
    if faults:
        raise Refused(f"the output does not match the outputSchema of {request.path}: {'; '.join(faults)}")
    _begin(turn, "complete", request, again)
    turn.scope = scope
    state = scope.state(node)
    _take_back(turn, node, state)
    if state.status in ("pending", "ready", "retrying"):
        turn.emit(ev.NodeStarted(turn.path(node), state.run, state.attempt + 1))
        state = scope.state(node)
    running.complete(turn, node, state, request.output, request.port, by_hand=True)
    _follow(turn, scope, node, again)


def set_variables(turn: Turn, request: inputs.SetVariables) -> None:
    """From here on the variables have these values. What runs has seen the ones before."""
    if turn.instance.status not in OPEN:
        raise Refused(f"the instance is {turn.instance.status}: nothing would see them")
    turn.emit(ev.Intervened("variables", "", 0, request.by, request.reason))
    turn.emit(ev.VariablesSet(Raw(request.values), "", 0))


def rerun_from(turn: Turn, request: inputs.RerunFrom) -> None:
    """An instance at its end runs again from this node on: it, and all that follows it, each in a new run."""
    instance = turn.instance
    reason = why_no_rerun(instance, request.path, request.run)
    if reason:
        raise Refused(reason)
    node = instance.plan.by_id[request.path]
    again = _with_all_that_follows(instance, node)
    if request.version and request.path not in instance.plans(request.version).by_id:
        raise Refused(f"that version has no node {request.path} to begin with")
    plan = migrating.checked(turn, request.version, again) if request.version else None
    _begin(turn, "rerun", request, again)
    if request.input is not None:
        turn.emit(ev.InputMapped(request.path, instance.state(node).run, Raw(request.input)))
    if plan is not None:
        migrating.switch(turn, plan, request.children)
    waves.go_on(turn)
    failure.settle(turn)


def why_no_rerun(instance: Instance, path: str, run: int) -> str:
    """Why the instance cannot run again from this node on ("": it can)."""
    if instance.status not in INSTANCE["InstanceReopened"]:
        return f"the instance is {instance.status}: only one that is at its end can be run again from a node"
    if instance.saga is not None:
        return "what had completed has been undone"
    node = instance.plan.by_id.get(path)
    if node is None or node.off_graph:
        return f"{path} is no node of the instance's own graph: name its block"
    state = instance.nodes[node.index]
    if state is None or state.run != run:
        return f"{path} is in its run {1 if state is None else state.run}"
    if state.status == "skipped" and not state.messages and node.in_degree:
        return f"{path} was skipped: nothing came to it; name a node before it"
    return _why_not_repeating(instance, _with_all_that_follows(instance, node))


def _with_all_that_follows(scope: Scope, first: PlanNode) -> list[PlanNode]:
    """The node and whatever its connections lead to, in the order of the definition."""
    found = {first.index}
    line = [first]
    while line:
        for edge in line.pop().outgoing:
            if edge.target not in found:
                found.add(edge.target)
                line.append(scope.graph.nodes[edge.target])
    return [scope.graph.nodes[index] for index in sorted(found) if scope.nodes[index] is not None]


def _why_not_repeating(scope: Scope, nodes: list[PlanNode]) -> str:
    for one in nodes:
        if one.inbox is not None or one.repeating:
            return f"{scope.path(one)} may run more than once, and what its inbox had is done with"
        for edge in one.outgoing:
            if scope.graph.nodes[edge.target].inbox is not None:
                return f"{scope.path(one)} leads to a node that may run more than once: its inbox is closed"
    return ""


def _meant(turn: Turn, path: str, run: int) -> tuple[Scope, PlanNode, NodeState | None]:
    """The node that is meant, in the run that is meant. Raises Refused."""
    instance = turn.instance
    if instance.status not in OPEN and instance.status not in INSTANCE["InstanceReopened"]:
        raise Refused(f"the instance is {instance.status}: it is left alone until that is over")
    try:
        scope, node = instance.locate(path)
    except KeyError:
        raise Refused(f"there is no {path}, or the body that it was in has ended") from None
    state = scope.nodes[node.index]
    if (1 if state is None else state.run) != run:
        raise Refused(f"{path} is in its run {1 if state is None else state.run}")
    if node.off_graph:
        raise Refused(f"{path} runs on behalf of another node: name that one")
    if node.inbox is not None or node.repeating:
        raise Refused(f"{path} may run more than once: its inbox decides when it ends")
    return scope, node, state


def _reset_for(turn: Turn, scope: Scope, node: PlanNode, state: NodeState | None) -> list[PlanNode]:
    """What is to be decided anew, where the node has failed: else nothing. Raises Refused."""
    if state is None or state.status != "failed":
        if turn.instance.status in INSTANCE_FINAL:
            raise Refused(f"the instance is {turn.instance.status}: run it again from the node instead (rerun)")
        return []
    reason = reopening.why_not(turn.instance, scope.path(node), state.run, turn.at)
    if reason:
        raise Refused(reason)
    return reopening.with_what_followed(scope, node)


def _begin(turn: Turn, what: str, request: inputs.Intervention, again: list[PlanNode]) -> None:
    """Say what is done; open the instance, where it is at its end; take back what is to be decided anew."""
    instance = turn.instance
    turn.emit(ev.Intervened(what, request.path, request.run, request.by, request.reason))
    if not again:
        return
    if instance.status in INSTANCE_FINAL:
        reopening.open_again(turn, request.by, request.reason)
    scope = instance.locate(request.path)[0]
    for one in again:
        path, state = scope.path(one), scope.state(one)
        if state.status == "failed":  # whichever of them was given up: nobody has to decide about that run any more
            turn.letters = (*turn.letters, fx.Raise(path, state.run))
        turn.emit(ev.NodeReset(path, state.run + 1, request.by))


def _take_back(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """What was ordered for a node that is ended by hand, but for what its end takes back itself."""
    path = turn.path(node)
    cancel_child(turn, node, state)
    if state.status == "running" and not node.machine_kind:
        turn.ask(fx.AbandonTask(path, state.run, state.attempt))
    elif state.status == "ready":
        turn.ask(given_back(turn, node, state, "unused"))
    elif state.status == "retrying":
        turn.ask(fx.DisarmTimer(path, state.run, state.attempt, fx.RETRY))
    elif state.status == "waiting" and node.machine_kind == "delay":
        turn.ask(fx.DisarmTimer(path, state.run, state.attempt, fx.DELAY))


def _follow(turn: Turn, scope: Scope, node: PlanNode, again: list[PlanNode]) -> None:
    """What the end of the node leads to; all decide anew where others were reset with it."""
    if again:
        reopening.decide_anew(turn)
        return
    turn.ended(scope, [node])
    waves.carry_on(turn)
    failure.settle(turn)
