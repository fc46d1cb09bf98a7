"""From settings to a running engine: the only module that names concrete stores and kinds of task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.engine.control import ControlSocket
from mainspring.engine.engine import Engine as BareEngine
from mainspring.engine.engine import Run
from mainspring.engine.result import InstanceResult
from mainspring.engine.settings import EngineSettings
from mainspring.engine.subflows import parts
from mainspring.errors import StoreError
from mainspring.graph.check import load, with_resilience
from mainspring.graph.family import family_of
from mainspring.journal.store import Store
from mainspring.messaging.task import TaskKind
from mainspring.tasks.checking import refuse_faulty_tasks
from mainspring.tasks.fault import describe
from mainspring.tasks.kinds import task_kinds
from mainspring.tasks.pinning import pinned

if TYPE_CHECKING:
    from mainspring.stores.sqlite.health import Health


def open_store(url: str, *, read_only: bool = False, durability: str = "full") -> Store:
    """The store that a URL names: `memory:`, `sqlite:///PATH`, `file:FOLDER`, `postgresql://…`, `redis://…`.

    Raises StoreError for any other, saying which there are, and where what it needs is not installed.
    """
    if durability not in ("full", "normal"):
        raise StoreError(f"durability is full or normal, not {durability!r}")
    if url == "memory:":
        from mainspring.stores.memory import MemoryStore

        return MemoryStore()
    if url.startswith("sqlite:"):
        from mainspring.stores.sqlite import SqliteStore

        path = _sqlite_path(url)
        if read_only and not Path(path).is_file():
            raise StoreError(f"there is no store {path}: nothing has been run there yet")
        return SqliteStore(path, read_only=read_only, durability="normal" if durability == "normal" else "full")
    if url.startswith("file:"):
        from mainspring.stores.file import FileStore

        folder = store_path(url)
        return FileStore(folder, read_only=read_only, durability="normal" if durability == "normal" else "full")
    if url.startswith(("postgresql:", "postgres:")):
        return _postgres(url, read_only, durability)
    if url.startswith(("redis:", "rediss:", "unix:")):
        return _redis(url, read_only, durability)
    # A path alone is what people type first. Whoever wrote a scheme meant another store.
    meant = "" if "://" in url or not url else f"; did you mean sqlite:///{url}?"
    raise StoreError(
        f"unknown store {url!r}: use memory:, sqlite:///PATH (sqlite:////PATH for an absolute one), file:FOLDER,"
        f" postgresql://USER@HOST/DATABASE or redis://HOST:PORT/0{meant}"
    )


def _postgres(url: str, read_only: bool, durability: str) -> Store:
    try:
        from mainspring.stores.postgres import PostgresStore
    except ImportError as error:
        if error.name != "asyncpg":
            raise
        raise StoreError("a PostgreSQL store needs asyncpg: pip install 'mainspring[postgres]'") from None
    return PostgresStore(url, durability="normal" if durability == "normal" else "full", read_only=read_only)


def _redis(url: str, read_only: bool, durability: str) -> Store:
    try:
        from mainspring.stores.redis import RedisStore
    except ImportError as error:
        if error.name != "redis":
            raise
        raise StoreError("a Redis store needs redis-py: pip install 'mainspring[redis]'") from None
    return RedisStore(url, durability="normal" if durability == "normal" else "full", read_only=read_only)


async def cautions_of(store: Store) -> list[str]:
    """What may be lost on the server of an open store as it is set up, in sentences. Most stores see to that themselves."""
    if store.url.startswith(("redis:", "rediss:", "unix:")):
        from mainspring.stores.redis import RedisStore

        if isinstance(store, RedisStore):
            return await store.cautions()
    return []


def examine_store(url: str, seconds: float) -> Health:
    """How the file of a `sqlite:///` store is, seen in so many seconds without touching it. Raises StoreError."""
    from mainspring.stores.sqlite.health import examine

    return examine(store_path(url), seconds)


def store_path(url: str) -> str:
    """The file of a `sqlite:///` store, the folder of a `file:` one. Raises StoreError for any other URL."""
    if url.startswith("file:"):
        return _folder(url)
    if not url.startswith("sqlite:"):
        open_store(url)  # says which URLs there are
        raise StoreError(f"{url} has no file")
    return _sqlite_path(url)


def _sqlite_path(url: str) -> str:
    path = url.removeprefix("sqlite:")
    if not path.startswith("///") or len(path) == 3:
        raise StoreError(f"{url!r} names no file: write sqlite:///orders.db, or sqlite:////var/lib/orders.db")
    return path[3:]


def _folder(url: str) -> str:
    path = url.removeprefix("file:")
    path = path[2:] if path.startswith("///") else path
    if not path or path.startswith("//"):
        raise StoreError(f"{url!r} names no folder: write file:orders, or file:/var/lib/orders")
    return path


class Engine(BareEngine):
    """`async with ms.Engine("sqlite:///orders.db") as engine: ...`: runs workflows on the store that the URL names."""

    def __init__(
        self,
        store: str | Store = "memory:",
        *,
        durability: str = "full",
        settings: EngineSettings | None = None,
        kinds: Mapping[str, TaskKind] | None = None,
        wait: bool = True,
        waiting: Callable[[str], None] | None = None,
        recover: bool = True,
    ) -> None:
        opened = open_store(store, durability=durability) if isinstance(store, str) else store
        super().__init__(
            opened,
            task_kinds(kinds),
            describe,
            settings=settings,
            wait=wait,
            waiting=waiting,
            recover=recover,
            pin=pinned,
        )
        self._checked: dict[int, object] = {}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self._store.control is not None:  # nobody else can write to the store: whoever wants something says so to us
            socket = ControlSocket(self, self._store.control)
            await socket.start()
            self.host.closers.append(socket.stop)
        return self

    async def start(
        self,
        definition: Definition | Workflow,
        *,
        input: Any = None,
        key: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> Run:
        """Start an instance; it is durable when this returns. With a `key`, the same one a second time gives the first.

        Raises DefinitionError (also where a task cannot take what the definition gives it), PayloadError, and NotOwner where
        the store belongs to somebody else by now.
        """
        if id(definition) not in self._checked:
            refuse_faulty_tasks(*parts(definition))
            self._checked[id(definition)] = definition  # held, so that its id is not used again
        return await super().start(definition, input=input, key=key, variables=variables)

    def register(self, definition: Definition | Workflow) -> None:
        """Have subflows find this workflow by its id, and by its version. Raises DefinitionError.

        Workflows that were run on this store before, and those in files beside their parent's, are found without.
        """
        refuse_faulty_tasks(*parts(definition))
        super().register(definition)

    def register_family(self, definition: Definition | Workflow) -> None:
        """Register what lies beside a definition's file for its subflows, and for theirs: so the files are what is run,
        whatever the store knows. Raises DefinitionError."""
        if isinstance(definition, Definition):
            for child in family_of(definition):
                self.register(child)


def run(
    definition: str | Path | Definition | Workflow,
    *,
    input: Any = None,
    store: str | Store = "memory:",
    key: str | None = None,
    resilience: str | Path | None = None,
) -> InstanceResult:
    """Run a workflow to its end and give its result: the one-liner, for code that is not async.

    `resilience` is the path of a resilience file, as `load` has it. Raises DefinitionError.
    """

    async def once() -> InstanceResult:
        wanted = load(definition) if isinstance(definition, (str, Path)) else definition
        if resilience is not None:
            whole = wanted if isinstance(wanted, Definition) else Definition(wanted)
            wanted = with_resilience(whole, resilience)
        async with Engine(store) as engine:
            engine.register_family(wanted)
            started = await engine.start(wanted, input=input, key=key)
            return await started.result()

    return asyncio.run(once())
