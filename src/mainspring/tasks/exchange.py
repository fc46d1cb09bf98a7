"""The files through which a script and its node speak: input and variables in, output, variables and progress out.

They lie in a private folder that lives as long as the attempt. Their names are told by the environment:
MAINSPRING_INPUT, MAINSPRING_VARIABLES, MAINSPRING_OUTPUT, MAINSPRING_PROGRESS. A script sets variables by rewriting the
file that MAINSPRING_VARIABLES names: what differs is set.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from mainspring.messaging.task import TaskCall, decode
from mainspring.tasks.fault import Reported

PROGRESS_CHUNK_BYTES = 64 * 1024


class ScriptFailed(Reported):
    """A script that ended with an error."""


class OutputTooLarge(Reported):
    """A script that wrote more than its `output_limit`."""

    fatal = True


class Exchange:
    """The files of one attempt."""

    def __init__(self, call: TaskCall) -> None:
        self._call = call
        self._folder = Path(tempfile.mkdtemp(prefix="mainspring-"))
        self._variables = call.variables or b"{}"
        self._seen = 0
        self._unfinished = b""
        self._percent = 0.0
        self.file("input").write_bytes(call.input or b"null")
        self.file("variables").write_bytes(self._variables)
        if call.compensation:
            self.file("compensation").write_bytes(call.compensation)
        self.file("progress").touch()

    def file(self, name: str) -> Path:
        return self._folder / name

    def environment(self) -> dict[str, str]:
        call = self._call
        names = ("input", "variables", "output", "progress", *(("compensation",) if call.compensation else ()))
        return {
            **{f"MAINSPRING_{name.upper()}": str(self.file(name)) for name in names},
            "MAINSPRING_INSTANCE": call.instance,
            "MAINSPRING_PATH": call.path,
            "MAINSPRING_ATTEMPT": str(call.attempt),
            "MAINSPRING_IDEMPOTENCY_KEY": call.idempotency_key,
        }

    def script(self, file: str | None, code: str, suffix: str, prelude: str) -> str:
        """The file to run: the script's own, or one that holds inline code or loads a prelude first."""
        if file is not None and not prelude:
            return file
        if file is not None:
            code = f'#load "{file}"\n'
        elif prelude:
            code = f'#line 1 "script{suffix}"\n{code}'  # errors count its own lines
        made = self.file("script" + suffix)
        made.write_text(f'#load "{prelude}"\n{code}' if prelude else code, encoding="utf-8")
        return str(made)

    def output(self, stdout: bytes, bytes_max: int) -> Any:
        """What the script gave: the output file, else stdout as JSON, else stdout as text."""
        raw = self._read("output", bytes_max)
        if raw.strip():
            try:
                return decode(raw)
            except msgspec.DecodeError as error:
                raise ScriptFailed(f"what the script wrote to MAINSPRING_OUTPUT is no JSON: {error}") from None
        text = stdout.decode("utf-8", "replace").strip()
        if not text:
            return None
        try:
            return decode(text.encode())
        except msgspec.DecodeError:
            return text

    def variables_set(self, bytes_max: int) -> dict[str, Any] | None:
        raw = self._read("variables", bytes_max)
        if raw == self._variables:
            return None
        try:
            after = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ScriptFailed(f"what the script wrote to MAINSPRING_VARIABLES is no JSON object: {error}") from None
        before = decode(self._variables) or {}
        # Compared as JSON: in Python, true and 1 would be the same.
        changed = {
            name: value
            for name, value in after.items()
            if name not in before or msgspec.json.encode(before[name]) != msgspec.json.encode(value)
        }
        return changed or None

    def report_progress(self) -> None:
        """Pass on the progress lines that are new."""
        try:
            if self.file("progress").stat().st_size <= self._seen:
                return
            with self.file("progress").open("rb") as file:
                file.seek(self._seen)
                chunk = file.read(PROGRESS_CHUNK_BYTES)
        except OSError:
            return  # the script took the file away: no progress then
        self._seen += len(chunk)
        *lines, self._unfinished = (self._unfinished[-PROGRESS_CHUNK_BYTES:] + chunk).split(b"\n")
        for line in lines:
            self._report(line.decode("utf-8", "replace").strip())

    def finish_progress(self) -> None:
        self.report_progress()
        self._report(self._unfinished.decode("utf-8", "replace").strip())

    def _report(self, line: str) -> None:
        if not line:
            return
        percent, text = _progress_of(line)
        if percent is not None and math.isfinite(percent):
            self._percent = min(max(percent, 0.0), 100.0)
        self._call.report(self._percent, text)

    def _read(self, name: str, bytes_max: int) -> bytes:
        file = self.file(name)
        if not file.exists():
            return b""
        if file.stat().st_size > bytes_max:
            raise OutputTooLarge(f"the script wrote more than {bytes_max} bytes (output_limit) to its {name} file")
        return file.read_bytes()

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _progress_of(line: str) -> tuple[float | None, str]:
    """`50 half way`, `50%`, or `{"percent": 50, "text": "half way"}`; anything else is a text alone."""
    try:
        if line.startswith("{"):
            read = json.loads(line)
            return float(read["percent"]), str(read.get("text", ""))
        number, _, text = line.partition(" ")
        return float(number.rstrip("%")), text.strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, line


def host_environment() -> dict[str, str]:
    """What a script sees of this process's environment: nothing that could be a secret."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
