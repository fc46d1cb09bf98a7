"""From a path to text: a regular file, not too large, in an encoding that is told; or the finding that says why not."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from mainspring.definition.bounds import document_bytes_max
from mainspring.definition.encoding import NotText, decode
from mainspring.definition.findings import Finding, finding, nearest

_neighbours_max = 1_000
_suffixes = (".yaml", ".yml", ".json")


def text_of_file(path: str | Path) -> str | Finding:
    """The text of a file."""
    if Path(path).suffix.lower() == ".py" and Path(path).is_file():
        hint = (
            f'run it with `python {str(path)[:200]}`; `ms.save(workflow, "order.yaml")` makes a file of what it builds'
        )
        return finding("MS109", f"{str(path)[:200]} is a program, no workflow file", (), hint)
    try:
        data = bytes_of_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file"
        elif isinstance(error, IsADirectoryError):
            reason = "it is a folder"
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
    # Names are compared, not paths: two files of one long folder are not alike for that.
    close = nearest(wanted.name, [name for name in names if Path(name).suffix.lower() in _suffixes])
    return f"did you mean `{wanted.with_name(close)}`?" if close else None
