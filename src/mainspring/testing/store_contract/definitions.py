"""Definitions: kept under their content hash, and never changed."""

from __future__ import annotations

from mainspring.journal.records import DefinitionRecord
from mainspring.journal.store import Store
from mainspring.testing.store_contract.ground import NOW, Ground


class DefinitionsContract(Ground):
    """define, definition, definitions."""

    async def test_it_comes_back_whole(self, store: Store) -> None:
        made = DefinitionRecord("hash-1", "orders", b'{"id":"orders"}\x00\xff', "/home/me", NOW)
        await store.define(made)
        assert await store.definition("hash-1") == made
        assert await store.definition("hash-2") is None

    async def test_again_changes_only_the_folder(self, store: Store) -> None:
        await store.define(DefinitionRecord("hash-1", "orders", b"body", "/old", NOW))
        await store.define(DefinitionRecord("hash-1", "other", b"forged", "/new", NOW + 1))
        assert await store.definition("hash-1") == DefinitionRecord("hash-1", "orders", b"body", "/new", NOW)

    async def test_versions_of_a_workflow_stand_side_by_side(self, store: Store) -> None:
        for version in ("a", "b"):
            await store.define(DefinitionRecord(version, "orders", version.encode(), "", NOW))
        found = [await store.definition(version) for version in ("a", "b")]
        assert [one.body for one in found if one is not None] == [b"a", b"b"]

    async def test_those_of_one_workflow_come_the_latest_first(self, store: Store) -> None:
        for version, workflow, at in (("a", "orders", 2), ("b", "orders", 3), ("c", "orders", 1), ("d", "bills", 9)):
            await store.define(DefinitionRecord(version, workflow, version.encode(), "", NOW + at))
        await store.define(DefinitionRecord("c", "orders", b"c", "/again", NOW + 8))
        assert [one.version for one in await store.definitions("orders", 10)] == ["b", "a", "c"]
        assert [one.version for one in await store.definitions("orders", 2)] == ["b", "a"]
        assert await store.definitions("nothing", 10) == []
