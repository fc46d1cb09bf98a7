"""What is sent to instances from outside: signals and approvals to one, events to all that may wait for them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from msgspec import Raw

from mainspring.engine.host import Host
from mainspring.engine.recovery import UNREADABLE
from mainspring.errors import CommandRefused, PayloadTooLarge, StoreCorrupt, StoreTooNew, UnknownInstance
from mainspring.graph.plan_waits import may_take
from mainspring.journal import messages
from mainspring.journal.payload import encode_payload
from mainspring.journal.records import InboxMessage, InstanceRecord
from mainspring.machine.lifecycle import INSTANCE_FINAL, INSTANCE_STATES

PAGE = 500
"""How many records are asked for at a time."""

VERSIONS_MAX = 1_000
"""So many versions of a workflow are looked at for one that waits for an event, the newest first."""


class Signalling:
    """Puts messages into inboxes. What is posted is durable; the instance takes it as soon as it is in memory."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._takers: dict[tuple[str, str], bool] = {}

    async def send(self, id: str, message: messages.Message, key: str | None = None) -> bool:
        """Post it to one instance. False where a message with this key was posted to it before.

        Raises UnknownInstance, CommandRefused.
        """
        record = await self._host.store.find(id)
        if record is None:
            raise UnknownInstance(f"there is no instance {id!r} in {self._host.store.url}")
        if not record.open:
            raise CommandRefused(f"{id} is {record.status}: it is at its end")
        return await self._post(record, message, self._fresh() if key is None else f"{id}/{key}")

    async def publish(self, name: str, payload: Raw, key: str | None, by: str) -> int:
        """Post an event to all open instances that may wait for it; gives how many these are. Raises StoreError."""
        event = messages.Signal(name, payload, "event", by)
        ident = self._fresh() if key is None else f"event/{key}"
        sent = 0
        others: dict[str, list[str]] = {}
        async for record in self.open_of():
            if await self._may_take(record, name, others):
                with suppress(UnknownInstance):  # removed since
                    sent += await self._post(record, event, f"{ident}/{record.id}")
        return sent

    async def to_all(self, status: str, workflow: str | None, message: messages.Message) -> list[str]:
        """Post it to all instances in a state, or to those of one workflow; gives their ids."""
        ident, sent = self._fresh(), []
        async for record in self._in_state(status, workflow):
            with suppress(UnknownInstance):  # removed since
                if await self._post(record, message, f"{ident}/{record.id}"):
                    sent.append(record.id)
        return sent

    def encoded(self, payload: Any) -> Raw:
        """A payload as JSON. Raises PayloadError, PayloadTooLarge."""
        raw = encode_payload(payload, "payload")
        limit = self._host.settings.payload_bytes_max
        if len(raw) > limit:
            raise PayloadTooLarge(
                f"the payload has {len(raw)} bytes of JSON, and payload_bytes_max is {limit}", "payload"
            )
        return Raw(raw)

    async def _post(self, record: InstanceRecord, message: messages.Message, ident: str) -> bool:
        body = messages.encode(message)
        posted = await self._host.store.post(InboxMessage(ident, record.number, body, self._host.clock.now()))
        self._host.recovery.begin()
        return posted

    def _fresh(self) -> str:
        return str(uuid.UUID(int=self._host.clock.seed() << 64 | self._host.clock.seed()))

    async def open_of(self, workflow: str | None = None) -> AsyncIterator[InstanceRecord]:
        """All open instances (of one workflow), each once, though one may change its status meanwhile."""
        met: set[int] = set()
        for status in INSTANCE_STATES:
            if status not in INSTANCE_FINAL:
                async for record in self._in_state(status, workflow):
                    if record.number not in met:
                        met.add(record.number)
                        yield record

    async def _in_state(self, status: str, workflow: str | None = None) -> AsyncIterator[InstanceRecord]:
        before: int | None = None
        while True:
            page = await self._host.store.instances(status=status, workflow=workflow, before=before, limit=PAGE)
            for record in page:
                yield record
            if len(page) < PAGE:
                break
            before = page[-1].number

    async def _may_take(self, record: InstanceRecord, name: str, others: dict[str, list[str]]) -> bool:
        """Whether it may wait for this event: by the version that it began with, or by one that it went over to.

        `others` keeps which versions a workflow has.
        """
        if await self._takes(record.version, name):
            return True
        if record.workflow not in others:
            found = await self._host.store.definitions(record.workflow, VERSIONS_MAX)
            others[record.workflow] = [one.version for one in found]
        if not any([await self._takes(version, name) for version in others[record.workflow]]):
            return False
        loaded = await self._host.store.load(record.id)
        if loaded is None:
            return False  # removed since
        try:
            program, _, _ = await self._host.rebuilt(loaded)
        except UNREADABLE:
            return False
        return await self._takes(program.version, name)

    async def _takes(self, version: str, name: str) -> bool:
        known = self._takers.get((version, name))
        if known is None:
            try:
                program = await self._host.program_of(version)
                known = may_take(program.plan.workflow.nodes, "event", name)
            except (StoreCorrupt, StoreTooNew):  # and no other StoreError: out of reach says nothing of who may take it
                known = False  # it is parked as unreadable, and takes nothing
            if len(self._takers) >= PAGE:
                self._takers.clear()
            self._takers[version, name] = known
        return known
