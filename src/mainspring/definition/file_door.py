"""From a path to text: a regular file, not too large, in an encoding that is told; or the finding that says why not."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from mainspring.definition.bounds import document_bytes_max
from mainspring.definition.encoding import NotText, decode
from mainspring.definition.findings import Finding, did_you_mean, finding

_neighbours_max = 1_000


def text_of_file(path: str | Path) -> str | Finding:
    """The text of a file."""
    try:
        data = bytes_of_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file"
        message = f"cannot read {str(path)[:200]}: {reason[:1].lower() + reason[1:]}"
        return finding("MS001", message, (), _neighbour(path) if isinstance(error, FileNotFoundError) else None)
    return text_of(data)


def text_of(data: str | bytes) -> str | Finding:
    """The text that is at hand."""
    if len(data) > document_bytes_max:
        message = f"the document has more bytes than document_bytes_max, {document_bytes_max}"
        return finding("MS002", message, (), "put data into files or variables of a run")
    try:
        return decode(data)
    except NotText as error:
        return replace(finding("MS003", error.message, (), error.hint), line=error.line, column=error.column)


def bytes_of_file(path: str | Path) -> bytes:
    """At most one byte more than there may be. Never waits: a pipe that nobody writes to is refused, not read."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as stream:  # noqa: PTH123
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
        return stream.read(document_bytes_max + 1)


def _neighbour(path: str | Path) -> str | None:
    """The file beside it that was perhaps meant."""
    wanted = Path(path)
    try:
        with os.scandir(wanted.parent) as entries:
            names = [entry.name for entry in islice(entries, _neighbours_max)]
    except OSError:
        return None
    return did_you_mean(wanted.name, names)
