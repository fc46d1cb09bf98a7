"""What must hold of an instance's rows as a whole: folded from the first one on, they give what all others have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mainspring.engine.program import Program
from mainspring.journal.codec import decode_snapshot, decode_turn
from mainspring.journal.history import rebuild
from mainspring.journal.records import InstanceRecord, Loaded
from mainspring.machine.capturing import capture
from mainspring.machine.fold import consume, fold
from mainspring.machine.instance import Instance, NodeState
from mainspring.testing.simulation.watched import Watched
from mainspring.testing.virtual import at_once

if TYPE_CHECKING:
    from mainspring.testing.simulation.process import Process
    from mainspring.testing.simulation.world import World

_pack = msgspec.msgpack.encode


def compare_lives(world: World, process: Process) -> None:
    """What a process has in memory, where nothing of it is on its way, is what its rows give."""
    for live in process.engine.host.lives.values():
        watched = world.audit.instances.get(live.number)
        if live.held is not None or live.uncommitted or watched is None:
            continue
        folded = _fold(world, watched, live.program)
        if _pack(capture(live.instance)) != _pack(capture(folded)):
            watched.flag("memory agrees with rows", f"{process.name} has something else in memory")
        _agree(watched, folded)


def check_all(world: World) -> None:
    """At the end: every instance, by all its ways."""
    world.leaving.left_at_the_end()
    gone = {world.audit.instances[number].id for number in world.leaving.gone}
    for id in world.acked - gone:
        if at_once(world.tool.find(id)) is None:
            world.fail("acknowledged is durable", f"{id} was acknowledged, and is not in the store")
    world.audit.letters.left_at_the_end([one.id for one in at_once(world.tool.dead_letters(limit=1_000_000))])
    programs: dict[str, Program] = {}
    for watched in world.audit.instances.values():
        if watched.number in world.leaving.gone:
            continue
        try:
            _check(world, watched, programs)
        except Exception as error:  # a snapshot that nothing can be made of raises whatever it raises
            watched.flag("rows can be read", f"{type(error).__name__}: {error}")


def _check(world: World, watched: Watched, programs: dict[str, Program]) -> None:
    page = at_once(world.tool.turns(watched.id, limit=100_000))
    loaded = at_once(world.tool.load(watched.id))
    if page is None or loaded is None:
        watched.flag("acknowledged is durable", "it is not in the store")
        return
    if list(page.rows) != world.audit.rows[watched.number]:
        watched.flag("rows stay", "the store's rows are not those that were committed")
    program = programs.get(watched.graph.workflow.id)
    if program is None:
        definition = at_once(world.tool.definition(page.record.version))
        if definition is None:
            watched.flag("definitions are kept", f"{page.record.version} is not in the store")
            return
        workflow = msgspec.json.decode(definition.body, type=type(watched.graph.workflow))
        program = programs[watched.graph.workflow.id] = Program(workflow, definition.body, "", {})
    folded = _fold(world, watched, program, page)
    whole = _pack(capture(folded))
    rebuilt, seq = rebuild(program.plan, loaded)
    if seq != watched.seq or _pack(capture(rebuilt)) != whole:
        watched.flag("snapshots agree", f"from its snapshot it comes to row {seq} and another state than from its rows")
    if world.audit.ends.get(watched.id, whole) != whole:
        watched.flag("memory agrees with rows", "at its end it was something else in memory")
    _agree(watched, folded)
    _record(watched, loaded.record)


def _fold(world: World, watched: Watched, program: Program, page: Loaded | None = None) -> Instance:
    """All rows, and each snapshot at its place."""
    instance = Instance(program.plan, watched.id)
    snapshots = {} if page is None else {one.seq: one for one in world.audit.snapshots.get(watched.number, ())}
    for row in world.audit.rows[watched.number]:
        body = decode_turn(row, world.audit.blobs.get(watched.number, ()))
        for event in body.events:
            fold(instance, event, body.at)
        if body.message:
            consume(instance, body.message)
        taken = snapshots.get(row.seq)
        if taken is not None and _pack(decode_snapshot(taken)) != _pack(capture(instance)):
            watched.flag("snapshots agree", f"the snapshot after row {row.seq} is not what the rows give")
    return instance


def _agree(watched: Watched, instance: Instance) -> None:
    """The auditor's picture and the machine's."""
    if instance.status != watched.status:
        watched.flag("the end is right", f"folded it is {instance.status}, by the auditor {watched.status}")
    if list(instance.open) != list(watched.scopes)[1:]:
        watched.flag("scopes are right", f"open are {list(instance.open)}, not {list(watched.scopes)[1:]}")
        return
    for address, scope in watched.scopes.items():
        seen = msgspec.json.decode(instance.variables_in(instance.open[address] if address else instance))
        if seen != scope.seen_variables():
            watched.flag("variables are right", f"{seen}, not {scope.seen_variables()}, in {address!r}")
    for scope, id, node in watched.nodes():
        path = scope.path(id)
        known, planned = instance.locate(path)
        state = known.nodes[planned.index]
        mine = (node.status, node.run, node.attempt, node.failures, node.crashes)
        state = state or NodeState()  # one that nothing has happened to yet
        theirs = (state.status, state.run, state.attempt, state.failures, state.crashes)
        if mine != theirs:
            watched.flag("counts are right", f"{path}: status, run, attempts, failures, crashes: {theirs}, not {mine}")
        output = None if state.output is None else msgspec.json.decode(state.output)
        if output != node.output:
            watched.flag("outputs are right", f"{path} is left with {output}, not {node.output}")


def _record(watched: Watched, record: InstanceRecord) -> None:
    """The record of an instance that is at its end."""
    if watched.open:
        return
    found = (record.status, record.open, record.ended_at, record.owner, record.wake_at)
    wanted = (watched.status, False, watched.ended_at, 0, None)
    if found != wanted:
        watched.flag("records agree with rows", f"the record says {found}, the rows {wanted}")
