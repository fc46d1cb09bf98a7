"""The file store: a folder of JSON that a person can read. One log is the truth; all else beside it is shown from it."""

from mainspring.stores.file.store import FileStore

__all__ = ["FileStore"]
