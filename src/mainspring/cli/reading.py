"""Looking into a store without taking it: works while an engine runs on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.assembly import open_store
from mainspring.cli import places
from mainspring.definition import canonical
from mainspring.engine.result import InstanceResult
from mainspring.errors import MainspringError, StoreCorrupt, StoreError
from mainspring.graph.plan import Plan
from mainspring.journal.history import rebuilt
from mainspring.journal.looking_back import At, Following, Past, following, look_back
from mainspring.journal.records import InstanceRecord
from mainspring.journal.store import Store


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """The store, to be read only. Raises StoreError."""
    if url == "memory:":
        raise StoreError("memory: is empty in every new process; give --store sqlite:///PATH")
    store = open_store(url, read_only=True)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def instance(url: str, wanted: str) -> tuple[InstanceRecord, InstanceResult | None]:
    """An instance as it durably stands; its state is None where it was parked because it cannot be read."""
    async with opened(url) as store:
        record = await places.resolve(store, wanted)
        try:
            return record, await state(store, record.id)
        except MainspringError:
            if record.status == "parked":
                return record, None
            raise


async def state(store: Store, id: str) -> InstanceResult:
    """Its journal, folded. Raises StoreCorrupt."""
    loaded = await store.load(id)
    if loaded is None:
        raise StoreCorrupt(f"instance {id} is gone from {store.url}")
    return InstanceResult((await rebuilt(lambda version: plan_of(store, version), loaded))[0])


async def past(url: str, wanted: str, at: At) -> tuple[Past, Following]:
    """An instance as it durably stood then, and what followed. Raises UnknownInstance, UnknownMoment, StoreCorrupt."""
    async with opened(url) as store:
        record = await places.resolve(store, wanted)
        found = await look_back(store, lambda version: plan_of(store, version), record.id, at)
        return found, await following(store, record.id, found.moment)


async def plan_of(store: Store, version: str) -> Plan:
    """The plan of a version. Raises StoreCorrupt."""
    definition = await store.definition(version)
    if definition is None:
        raise StoreCorrupt(f"the definition {version} is gone from {store.url}")
    return Plan(canonical.decode(definition.body), definition.version)
