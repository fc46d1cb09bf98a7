"""What an engine can be told, beside what it is to run: the commands of its face."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from msgspec import UNSET

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.breakers import BreakerStanding
from mainspring.engine.host import Host
from mainspring.engine.interventions import Preview
from mainspring.engine.letters import Letter
from mainspring.engine.result import InstanceResult
from mainspring.engine.retention import Collected, RetentionRule
from mainspring.engine.signalling import Signalling
from mainspring.engine.subflows import parts
from mainspring.engine.versions import Compatibility
from mainspring.errors import CommandRefused, UnknownInstance
from mainspring.journal import messages
from mainspring.journal.records import InstanceRecord
from mainspring.limits.breaker import Transition
from mainspring.machine.inputs import Compensate

STILL = frozenset({"parked", "paused", "pausing"})
"""The states in which an instance stands still, or is about to."""


RELOAD_SECONDS = 0.01
"""How often an instance that is being loaded again is looked at."""


class Commands:
    """The commands. `Engine` has them, and what they need of it."""

    _signalling: Signalling | None = None

    @property
    def host(self) -> Host:
        """What is behind the face."""
        raise NotImplementedError

    async def _record(self, id: str) -> InstanceRecord:
        raise NotImplementedError

    async def inspect(self, id: str, *, until: int | None = None) -> InstanceResult:
        """An instance as it durably stands."""
        raise NotImplementedError

    def _news_of(self, number: int) -> AbstractContextManager[asyncio.Event]:
        raise NotImplementedError

    @property
    def _sender(self) -> Signalling:
        if self._signalling is None:
            self._signalling = Signalling(self.host)
        return self._signalling

    # --- instances ----------------------------------------------------------------------------------------------------

    async def cancel(self, id: str, *, by: str = "", reason: str = "", grace_ms: int = 0) -> None:
        """Have an instance ended. What runs is told to stop; with `grace_ms` only after so long, if it has not finished.

        Nothing new starts meanwhile. Raises UnknownInstance, CommandRefused.
        """
        await self._sender.send(id, messages.Cancel(by=by, reason=reason, grace=grace_ms))

    async def pause(
        self, id: str, *, by: str = "", reason: str = "", stop_clocks: bool = True, for_ms: int | None = None
    ) -> None:
        """Have an instance start nothing new; what runs finishes. `standstill` waits until that is so.

        Its clocks (delays, retries, waits, the workflow's timeout) stop too, unless `stop_clocks` is False. It goes on by
        itself after `for_ms` milliseconds, where that is said. The children that it waits for are paused with it. The wish
        is durable when this returns. Raises UnknownInstance, CommandRefused (it is not running).
        """
        record = await self._record(id)
        if record.status != "running":
            raise CommandRefused(f"{id} is {record.status}: only one that is running can be paused")
        await self._sender.send(id, self._pause(by, reason, stop_clocks, for_ms))

    async def pause_all(
        self,
        workflow: str | None = None,
        *,
        by: str = "",
        reason: str = "",
        stop_clocks: bool = True,
        for_ms: int | None = None,
    ) -> list[str]:
        """Pause all that is running, or all of one workflow; gives their ids. One that starts later is not paused."""
        return await self._sender.to_all("running", workflow, self._pause(by, reason, stop_clocks, for_ms))

    async def resume(self, id: str, *, by: str = "") -> None:
        """Have a parked or paused instance go on. Raises UnknownInstance, CommandRefused."""
        record = await self._record(id)
        if record.status not in STILL:
            raise CommandRefused(f"{id} is {record.status}: only one that is paused or parked can be resumed")
        await self._sender.send(id, messages.Resume(by=by))

    async def resume_all(self, workflow: str | None = None, *, by: str = "") -> list[str]:
        """Have all that is paused go on, or all of one workflow; gives their ids. What is parked waits for its own word."""
        ids = await self._sender.to_all("pausing", workflow, messages.Resume(by=by))
        return ids + await self._sender.to_all("paused", workflow, messages.Resume(by=by))

    async def standstill(self, id: str) -> str:
        """Wait until an instance is paused and drained, parked, or at its end, and give its status.

        Raises UnknownInstance, NotOwner where this engine loses its store meanwhile.
        """
        record = await self._record(id)
        with self._news_of(record.number) as news:
            while True:
                news.clear()
                record = await self._record(id)
                if not record.open or record.status in ("paused", "parked"):
                    return record.status
                await news.wait()
                if self.host.loss is not None:
                    raise self.host.loss

    def _pause(self, by: str, reason: str, stop_clocks: bool, for_ms: int | None) -> messages.Pause:
        until = None if for_ms is None else self.host.clock.now() + for_ms
        return messages.Pause(by=by, reason=reason, stop_clocks=stop_clocks, until=until)

    async def checkpoint(self, id: str) -> None:
        """Have all that an instance has done so far durable when this returns, whatever its checkpoint policy.

        Raises UnknownInstance, NotOwner where this engine loses its store meanwhile.
        """
        host = self.host
        live = host.by_id.get(id)
        if live is None:
            await self._record(id)  # what is not in memory is durable
            return
        sure = True
        while True:
            if host.loss is not None:
                raise host.loss
            failures = host.recovery.failures
            sure = live.held is None and (sure or live.number not in host.loop.busy())
            host.checkpoints.flush(live)
            await host.writer.drained()
            if host.loss is not None:
                raise host.loss  # what there was is not written, but lost
            if sure and host.recovery.failures == failures:
                return
            sure = False  # its turns were lost, perhaps, and are about to be taken again
            await asyncio.sleep(RELOAD_SECONDS)

    # --- single nodes, by hand: each with `dry_run=True` tells what would happen, and nothing does --------------------

    async def retry(
        self, id: str, path: str, *, input: Any = UNSET, by: str = "", reason: str = "", dry_run: bool = False
    ) -> Preview:
        """Have a node that failed run again, with what was skipped because it had, in a new run; the instance is opened
        where it is at its end. A node that waits for its next attempt makes it now. `input` stands in for what came in.

        The order is durable when this returns, and has its effect once; what is given is what it leads to. Raises
        UnknownInstance, CommandRefused (which says why it can't be), PayloadError.
        """
        given = UNSET if input is UNSET else self._sender.encoded(input)
        return await self._order(id, messages.RetryNode(path, await self._run_of(id, path), by, reason, given), dry_run)

    async def skip(self, id: str, path: str, *, by: str = "", reason: str = "", dry_run: bool = False) -> Preview:
        """Have a node not run: what is under way of it is stopped, and what depends on it alone is skipped too.

        See `retry`.
        """
        return await self._order(id, messages.SkipNode(path, await self._run_of(id, path), by, reason), dry_run)

    async def complete(
        self,
        id: str,
        path: str,
        output: Any = None,
        *,
        port: str | None = None,
        by: str = "",
        reason: str = "",
        dry_run: bool = False,
    ) -> Preview:
        """Say that a node is done, with this output, by this port: somebody has done its work. See `retry`."""
        raw, run = self._sender.encoded(output), await self._run_of(id, path)
        return await self._order(id, messages.CompleteNode(path, run, raw, port, by, reason), dry_run)

    async def rerun(
        self,
        id: str,
        path: str,
        *,
        input: Any = UNSET,
        definition: Definition | Workflow | None = None,
        by: str = "",
        reason: str = "",
        dry_run: bool = False,
    ) -> Preview:
        """Have an instance at its end run again from a node on: it and all that follows, in new runs. See `retry`.

        With a `definition` it runs by that version of its workflow from there on (see `migrate`).
        """
        given = UNSET if input is UNSET else self._sender.encoded(input)
        run = await self._run_of(id, path)
        order = messages.RerunFrom(path, run, by, reason, given)
        if definition is not None:
            version, pins = await self.host.versions.known(definition, keep=not dry_run)
            order = msgspec.structs.replace(order, version=version, children=pins)
        return await self._order(id, order, dry_run)

    async def set_variables(
        self, id: str, values: Mapping[str, Any], *, by: str = "", reason: str = "", dry_run: bool = False
    ) -> Preview:
        """Give variables other values for what comes; what runs has seen the ones before. See `retry`."""
        await self.checkpoint(id)
        return await self._order(id, messages.SetVariables(self._sender.encoded(dict(values)), by, reason), dry_run)

    async def _order(self, id: str, message: messages.Intervention, dry_run: bool) -> Preview:
        interventions = self.host.interventions
        return await (interventions.preview if dry_run else interventions.order)(id, message)

    async def _run_of(self, id: str, path: str) -> int:
        """The run that the node is in now: an order for another one is refused."""
        await self.checkpoint(id)  # what is ordered is told by what is durable
        instance = (await self.inspect(id)).instance
        try:
            scope, node = instance.locate(path)
        except KeyError:
            raise CommandRefused(f"{id}: there is no {path}, or the body that it was in has ended") from None
        state = scope.nodes[node.index]
        return 1 if state is None else state.run

    # --- other versions of a definition -------------------------------------------------------------------------------

    async def compatibility(self, id: str, definition: Definition | Workflow) -> Compatibility:
        """How an instance under way stands to another version of its workflow: what differs, and what is in the way.

        Raises UnknownInstance, DefinitionError (also where a subflow's workflow is not known).
        """
        await self.checkpoint(id)
        return await self.host.versions.compare(id, definition)

    async def migrate(
        self, id: str, definition: Definition | Workflow, *, by: str = "", reason: str = "", dry_run: bool = False
    ) -> Preview:
        """Have an instance under way go on by another version of its workflow. What has happened stays as it happened, what
        runs goes on, and what has not begun is as the new version says.

        The order is durable when this returns, and has its effect once. Raises UnknownInstance, DefinitionError, and
        CommandRefused with all that is in the way (`compatibility` tells it without an order). See `retry`.
        """
        await self.checkpoint(id)
        return await self.host.versions.migrate(id, definition, by=by, reason=reason, dry_run=dry_run)

    async def migrate_all(
        self, definition: Definition | Workflow, *, by: str = "", reason: str = "", dry_run: bool = False
    ) -> dict[str, str]:
        """Have all open instances of a workflow go on by this version, those that can; gives for each why it does not ("":
        it does). One that runs by it already is not among them."""
        found: dict[str, str] = {}
        for id in await self.of_other_versions(definition):
            try:
                await self.migrate(id, definition, by=by, reason=reason, dry_run=dry_run)
                found[id] = ""
            except (CommandRefused, UnknownInstance) as refused:
                found[id] = str(refused).removeprefix(f"{id}: ")
        return found

    async def of_other_versions(self, definition: Definition | Workflow) -> list[str]:
        """The ids of the open instances of a workflow that run by another version of it than this."""
        version = self.host.versions.program(definition).version
        found = []
        async for record in self._sender.open_of(parts(definition)[0].id):
            await self.checkpoint(record.id)
            if (await self.inspect(record.id)).instance.plan.version != version:
                found.append(record.id)
        return found

    # --- instances at their end, and what is waited for ---------------------------------------------------------------

    async def compensate(self, id: str, *, by: str = "") -> None:
        """Have an instance at its end undo what it had to leave; `wait` tells how it ends then.

        That it has begun is durable when this returns. Raises UnknownInstance, CommandRefused (it is not at its end, or
        nothing is left to be undone).
        """
        await self.host.reviving.compensate(id, Compensate(by=by, seed=self.host.clock.seed()))

    async def signal(self, id: str, name: str, payload: Any = None, *, by: str = "", key: str | None = None) -> bool:
        """Send an instance a signal; it is durable when this returns. A wait takes it, now or when it begins.

        With a `key`, the same one a second time is not a second signal: then it gives False. Raises UnknownInstance,
        CommandRefused (the instance is at its end), PayloadError, PayloadTooLarge.
        """
        sender = self._sender
        return await sender.send(id, messages.Signal(name, sender.encoded(payload), "signal", by), key)

    async def approve(self, id: str, name: str, approved: bool, comment: str = "", *, by: str = "") -> None:
        """Decide what an instance waits for: `approved` or not. Raises as `signal` does."""
        payload = self._sender.encoded({"approved": approved, "comment": comment, "by": by})
        await self._sender.send(id, messages.Signal(name, payload, "approval", by))

    async def publish(self, name: str, payload: Any = None, *, by: str = "", key: str | None = None) -> int:
        """Send an event to all open instances whose workflow may wait for it, and give how many these are.

        Each of them has it durably when this returns. Were it to fail half way, publish again with the same `key`: nobody
        gets it twice. Raises PayloadError, PayloadTooLarge, StoreError.
        """
        return await self._sender.publish(name, self._sender.encoded(payload), key, by)

    # --- dead letters -------------------------------------------------------------------------------------------------

    async def dead_letters(self) -> list[Letter]:
        """What was given up and waits for somebody to decide about it: nodes, children, messages, parked instances."""
        return await self.host.letters.all()

    async def dead_letter(self, id: str) -> Letter:
        """One of them. Raises CommandRefused where there is none of that id."""
        return await self.host.letters.find(id)

    async def requeue(self, id: str, *, by: str = "", reason: str = "") -> None:
        """Put a dead letter back to work: it is durable when this returns, and has its effect once.

        A node runs again, in a new run with a new idempotency key, its instance being reopened where it is at its end; what
        was skipped because the node had failed decides anew. A parked instance is resumed, a message sent again. Raises
        CommandRefused, which says why it cannot be.
        """
        await self.host.letters.requeue(id, by, reason)

    async def purge(self, *ids: str) -> int:
        """Lose these dead letters for good; gives how many there were. A parked instance is cancelled instead."""
        return await self.host.letters.purge(list(ids))

    # --- retention ----------------------------------------------------------------------------------------------------

    async def gc(
        self,
        *,
        older_than_ms: int | None = None,
        keep: int | None = None,
        workflow: str | None = None,
        dry_run: bool = False,
        seconds_max: float | None = None,
    ) -> Collected:
        """Remove instances at their end, for good, with their children, and have the store give back the room.

        `older_than_ms`: those that ended longer ago. `keep`: all but so many of each workflow, those that were started
        last. With both, those to which both apply; with `workflow`, of that one only. Whatever is open, has a dead letter
        or an open child stays. It goes in small batches, beside what runs; `seconds_max` bounds it. With `dry_run` it only
        tells. Raises CommandRefused where nothing is said of what may go, NotOwner, StoreError.
        """
        rule = RetentionRule(older_than_ms=older_than_ms, keep=keep)
        if rule.keeps_all:
            raise CommandRefused("say what may go: older_than_ms, keep, or both")
        if min(older_than_ms or 0, keep or 0) < 0:
            raise CommandRefused("older_than_ms and keep are 0 or more")
        everything = RetentionRule()
        return await self.host.removal.collect(
            lambda of: rule if workflow in (None, of) else everything,
            dry_run=dry_run,
            measured=True,
            seconds_max=seconds_max,
        )

    # --- circuit breakers ---------------------------------------------------------------------------------------------

    def breakers(self) -> list[BreakerStanding]:
        """How each circuit breaker stands that this engine, or one before it on this store, has made calls by."""
        return self.host.breakers.standings()

    async def open_breaker(self, target: str, *, by: str = "", reason: str = "") -> BreakerStanding:
        """The emergency switch: nobody calls this target any more, until somebody closes the breaker by hand.

        Calls that are under way go on. It is durable when this returns. Raises NotOwner, StoreError.
        """
        return await self.host.breakers.switch(target, shut=False, why=_by_hand(by, reason))

    async def close_breaker(self, target: str, *, by: str = "", reason: str = "") -> BreakerStanding:
        """Have calls of this target made again, whatever state its breaker is in. What it has counted is forgotten."""
        return await self.host.breakers.switch(target, shut=True, why=_by_hand(by, reason))

    def watch_breakers(self, callback: Callable[[str, Transition], None]) -> Callable[[], None]:
        """Have `callback(target, transition)` called when a breaker goes to another state. Gives back how to stop."""
        watchers = self.host.breakers.watchers
        watchers.append(callback)
        return lambda: watchers.remove(callback) if callback in watchers else None


def _by_hand(by: str, reason: str) -> str:
    said = f"by {by}" if by else "by hand"
    return f"{said}: {reason}" if reason else said
