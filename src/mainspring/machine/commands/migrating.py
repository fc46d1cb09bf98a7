"""Have an instance go on by another version of its workflow (SEMANTICS 99 to 102). What is under way is not touched."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec import Raw

from mainspring.graph.plan import Plan, PlanNode
from mainspring.machine import compatibility, inputs, waves
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.commands.pausing import arm_timeout
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import INSTANCE, STARTING
from mainspring.machine.policies import failure
from mainspring.machine.turn import Refused, Turn

OBSTACLES_MAX = 10
"""So many are told in a refusal; the report has all of them."""

SAME = "it runs by this version already"

_values = msgspec.json.Decoder(dict[str, Raw]).decode


def migrate(turn: Turn, request: inputs.Migrate) -> None:
    """From here on it runs by that version; whatever can start by it does."""
    instance = turn.instance
    reason = why_not_at_all(instance, request.version)
    if reason:
        raise Refused(reason)
    plan = checked(turn, request.version)
    turn.emit(ev.Intervened("migrate", "", 0, request.by, request.reason))
    switch(turn, plan, request.children)
    if instance.status in STARTING:
        waves.go_on(turn)
        failure.settle(turn)


def why_not_at_all(instance: Instance, version: str) -> str:
    """Why the instance cannot go on by another version, whatever that is like ("": it can)."""
    if instance.status not in INSTANCE["InstanceMigrated"]:
        return f"the instance is {instance.status}: only one that is under way can go on by another version"
    if instance.saga is not None:
        return "what had completed is being undone, or has been"
    return SAME if version == instance.plan.version else ""


def checked(turn: Turn, version: str, again: Collection[PlanNode] = ()) -> Plan:
    """The plan of that version. Raises Refused where the instance cannot go on by it."""
    instance = turn.instance
    if version == instance.plan.version:
        raise Refused(SAME)
    plan = instance.plans(version)
    reasons = compatibility.obstacles(compatibility.differences(instance, plan, again))
    if reasons:
        more = f" (and {len(reasons) - OBSTACLES_MAX} more)" if len(reasons) > OBSTACLES_MAX else ""
        raise Refused(f"it cannot go on by version {version[:12]}: {'; '.join(reasons[:OBSTACLES_MAX])}{more}")
    return plan


def switch(turn: Turn, plan: Plan, children: tuple[ev.Pin, ...]) -> None:
    """Go on by that plan: new variables have the values that it gives them, and its time begins with the instance."""
    instance, before = turn.instance, turn.plan
    turn.emit(ev.InstanceMigrated(plan.version, children))
    turn.plan, turn.scope = plan, instance
    known = _values(instance.variables)
    new = {name: value for name, value in plan.workflow.variables.items() if name not in known}
    if new:
        turn.emit(ev.VariablesSet(Raw(msgspec.json.encode(new)), "", 0))
    turn.ask(fx.Migrate(plan.version))
    turn.admission = None  # what the engine knows of its limits is of the version before: nodes ask by order
    if plan.timeout != before.timeout and instance.status == "running":
        if plan.timeout is None:
            turn.ask(fx.DisarmTimer("", 0, 0, fx.INSTANCE_TIMEOUT))
        else:
            arm_timeout(turn)
