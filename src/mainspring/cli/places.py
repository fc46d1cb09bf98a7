"""Where the store is, and which instance is meant."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.errors import UnknownInstance

if TYPE_CHECKING:
    from mainspring.journal.records import InstanceRecord
    from mainspring.journal.store import Store

DEFAULT_FOLDER = ".mainspring"
DEFAULT_STORE = f"sqlite:///{DEFAULT_FOLDER}/store.db"
VARIABLE = "MAINSPRING_STORE"

PAGE = 500


def store_url(given: str | None) -> str:
    """The store to use: as given, else as the environment says, else the one of this folder."""
    return given or os.environ.get(VARIABLE) or DEFAULT_STORE


def make_room(url: str) -> None:
    """Create the folder of the default store. It keeps itself out of version control."""
    if url != DEFAULT_STORE:
        return
    folder = Path(DEFAULT_FOLDER)
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def command(*words: str, store: str, imports: tuple[str, ...] = ()) -> str:
    """A command line that a person can paste: with --store and --import where it would not work without."""
    line = ["mainspring", *words]
    if store != (os.environ.get(VARIABLE) or DEFAULT_STORE):
        line += ["--store", store]
    for module in imports:
        line += ["--import", module]
    return shlex.join(line)


async def resolve(store: Store, wanted: str) -> InstanceRecord:
    """The instance that an id, a prefix that only one has, or `last` means. Raises UnknownInstance.

    A child's id begins with its parent's: a prefix of both, and `last`, mean the parent.
    """
    found = await store.find(wanted)
    if found is not None:
        return found
    if wanted == "last":
        newest = await _newest(store)
        if newest is not None:
            return newest
        raise UnknownInstance(f"there is no instance in {store.url} yet")
    matches = await _with_prefix(store, wanted)
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise UnknownInstance(
            f"there is no instance {wanted!r} in {store.url}. `mainspring list` shows those there are"
        )
    shown = ", ".join(record.id for record in matches[:5])
    more = " …" if len(matches) > 5 else ""
    raise UnknownInstance(f"{wanted!r} is the beginning of {len(matches)} instances: {shown}{more}")


async def _with_prefix(store: Store, prefix: str) -> list[InstanceRecord]:
    matches: list[InstanceRecord] = []
    before: int | None = None
    while True:
        page = await store.instances(before=before, limit=PAGE)
        matches += [record for record in page if record.id.startswith(prefix)]
        if len(page) < PAGE:
            break
        before = page[-1].number
    found = {record.id for record in matches}
    return [record for record in matches if record.parent not in found]


async def _newest(store: Store) -> InstanceRecord | None:
    """The last one that somebody started."""
    before: int | None = None
    while True:
        page = await store.instances(before=before, limit=PAGE)
        for record in page:
            if record.parent is None:
                return record
        if len(page) < PAGE:
            return None
        before = page[-1].number


async def root_of(store: Store, record: InstanceRecord) -> str:
    """The instance that it is a child of, or a child's child; or itself."""
    while record.parent is not None:
        parent = await store.find(record.parent)
        if parent is None:
            break
        record = parent
    return record.id
