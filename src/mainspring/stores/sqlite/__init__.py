"""The SQLite store: one file, one writer, group commit."""

from mainspring.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
