"""What the engine's tests share: a store of each kind, workflows in few words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.assembly import open_store
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.journal.store import Store
from mainspring.testing import redis_server
from mainspring.testing.postgres_server import drop, fresh_url

LOCAL = {"memory": "memory:", "sqlite": "sqlite:///{}/store.db", "file": "file:{}/store"}


ON_EVERY_STORE = frozenset({"test_engine", "test_pause", "test_children", "test_restart", "test_interventions"})
"""What an engine asks of a store the contract suites hold already. These modules go through all of it once more on each."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `store` runs on memory and SQLite, and a few modules on all (`apart`)."""
    if "store" in metafunc.fixturenames:
        whole = metafunc.module.__name__.rpartition(".")[2] in ON_EVERY_STORE
        others = ["postgres", "file", "redis"] if whole else []
        given = ["memory", "sqlite", *[pytest.param(name, marks=pytest.mark.apart) for name in others]]
        metafunc.parametrize("store", given, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store that is empty."""
    if request.param in LOCAL:
        yield open_store(LOCAL[request.param].format(tmp_path))
        return
    if request.param == "redis":
        url = redis_server.fresh_url()
        yield open_store(url, durability="normal")
        redis_server.drop(url)
        return
    url = fresh_url()
    yield open_store(url)
    asyncio.run(drop(url))


def node(id: str, handler: Any = None, *depends_on: str, type: str = "function", **more: Any) -> Node:
    """A node; a callable is its handler."""
    config = more.pop("config", {} if handler is None else {"handler": handler})
    return Node(id=id, type=type, config=config, depends_on=depends_on, **more)


def workflow(*nodes: Node, connections: tuple[Connection, ...] = (), id: str = "test", **more: Any) -> Workflow:
    """A workflow."""
    return Workflow(id=id, nodes=nodes, connections=connections, **more)
