"""Before anything runs: the definition checked, the code found, the streams in order."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.errors import DefinitionError, HandlerNotFound

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding
    from mainspring.definition.load import Definition


def load_modules(names: Iterable[str]) -> None:
    """Import modules that register tasks. The current folder is importable. Raises HandlerNotFound."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for name in names:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            what = "there is no such module" if error.name == name else f"it imports {error.name!r}, which is not here"
            raise HandlerNotFound(f"cannot load --import {name}: {what} (looked in {here} and sys.path)") from None
        except Exception as error:
            raise HandlerNotFound(f"cannot load --import {name}: {type(error).__name__}: {error}") from error


def definition_to_run(file: str, resilience: str | None = None) -> Definition:
    """A definition that can run here and now, with all warnings; and its children in the same folder can.

    Raises DefinitionError, and HandlerNotFound listing all that is missing.
    """
    from mainspring.graph.check import load
    from mainspring.graph.family import family_of

    definition = load(file, resilience=resilience)
    for one in (definition, *family_of(definition)):
        _refuse_what_cannot_run(one, one.source or file)
    return definition


def _refuse_what_cannot_run(definition: Definition, file: str) -> None:
    refused = not_run_yet(definition, file)
    if refused:
        raise DefinitionError(refused)
    found, missing = _tasks(definition, file)
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise DefinitionError(errors)
    if missing:
        head = "the code of these nodes cannot be found; nothing was run" if len(missing) > 1 else "nothing was run"
        raise HandlerNotFound("\n".join([head, *(f"{path}: {reason}" for path, reason in missing)]))
    if found:
        definition.warnings = (*definition.warnings, *found)


def refuse_input(definition: Definition, given: Any) -> None:
    """Raise InputInvalid where the workflow's inputSchema says so: before a store is made, or waited for."""
    if definition.workflow.input_schema is None:
        return
    from mainspring.engine.engine import refuse_invalid
    from mainspring.graph.schemas import check_of
    from mainspring.journal.payload import encode_payload

    raw = encode_payload({} if given is None else given, "input")
    refuse_invalid(check_of(definition.workflow.input_schema, "input"), raw)


def not_run_yet(definition: Definition, file: str) -> list[Finding]:
    """What this version does not run yet, each with its place."""
    from mainspring.graph.support import unsupported

    return _placed(unsupported(definition.workflow), file)


def not_enforced_yet(definition: Definition, file: str) -> list[Finding]:
    """What it is run without, each with its place: what this version does not have, and policies that no file has."""
    from mainspring.graph.check_resilience import unknown_policies
    from mainspring.graph.support import not_enforced

    return _placed([*not_enforced(definition.workflow), *unknown_policies(definition.workflow)], file)


def children_findings(definition: Definition, file: str) -> list[Finding]:
    """The subflows whose workflow no file beside this one has, each with its place. Raises DefinitionError of such a file."""
    from mainspring.graph.family import file_of, in_folder, missing_children, named_at

    there = {
        name
        for name, _ in named_at(definition.workflow)
        if file_of(name, definition.folder) and in_folder(name, definition.folder)
    }
    return _placed(missing_children(definition.workflow, there), file)


def _placed(found: list[Finding], file: str) -> list[Finding]:
    if not found:
        return []
    from mainspring.definition.bounds import findings_max
    from mainspring.definition.load import read

    return read(file).all_placed((one, None) for one in found[:findings_max])


def task_findings(definition: Definition, file: str) -> list[Finding]:
    """What is wrong with the tasks themselves, or with what is handed to them, each at its place."""
    return _tasks(definition, file)[0]


def _tasks(definition: Definition, file: str) -> tuple[list[Finding], list[tuple[str, str]]]:
    """Likewise, and the nodes whose code is not here, each with what was looked for."""
    from mainspring.tasks.checking import check_tasks

    found = check_tasks(definition.workflow, definition.folder)
    if not found.all:
        return [], []
    from mainspring.definition.bounds import findings_max
    from mainspring.definition.load import read

    return read(file).all_placed(found.all[:findings_max]), found.missing


@contextmanager
def stdout_for(result_only: bool) -> Iterator[None]:
    """Where stdout is for the result alone, what tasks print goes to stderr."""
    if not result_only:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def log_lines() -> Iterator[None]:
    """What the engine and the tasks log, as lines on stderr; tracebacks only for those who debug mainspring."""
    logger = logging.getLogger("mainspring")
    handler = _Lines()
    handler.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            if os.environ.get("MAINSPRING_DEBUG") == "1" and record.exc_info:
                text = self.format(record)
            else:
                text = record.getMessage()
            print(f"{record.levelname.lower()}: {text}", file=sys.stderr, flush=True)
