"""Migrations as files: what the stores with SQL have in common, whatever their dialect."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources

from mainspring.errors import StoreCorrupt, StoreTooNew


def text_of(package: str, name: str) -> str:
    """What the file of a migration says."""
    return resources.files(package).joinpath(name).read_text("utf-8")


def checksum(text: str) -> str:
    """What a migration is known by, so that an edited one is found out."""
    return hashlib.sha256(text.encode()).hexdigest()


def verify(package: str, known: Sequence[str], applied: Sequence[tuple[int, str, str]], where: str) -> int:
    """The version of a store to which these (version, name, checksum) were applied, in order.

    Raises StoreTooNew (a later mainspring's), StoreCorrupt (one of them had other contents).
    """
    version = applied[-1][0] if applied else 0
    if version > len(known):
        raise StoreTooNew(f"{where} has schema {version}; this mainspring knows {len(known)}: use a newer one")
    for number, name, sum in applied:
        if sum != checksum(text_of(package, known[number - 1])):
            raise StoreCorrupt(f"{where}: migration {name} was applied with other contents than this mainspring's")
    return version
