"""From a file or text to the model, with everything that is wrong at its place.

This is only reading. `graph.check` joins it with the checks on the graph, and has the public `load` and `loads`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from mainspring.definition import vocabulary
from mainspring.definition.bounds import findings_max
from mainspring.definition.convert import convert
from mainspring.definition.file_door import text_of, text_of_file
from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.model import Workflow
from mainspring.definition.places import Locator, Place
from mainspring.definition.python_door import Part, PythonReader
from mainspring.definition.resilience_file import ResilienceConfig
from mainspring.definition.respell import Respelling
from mainspring.definition.spelling import respell

Format = Literal["yaml", "json"]

_ABOUT_KEYS = frozenset(("MS104", "MS106", "MS230", "MS231", "MS233", "MS237"))
"""Codes of findings that are about a key, not about its value."""


class Definition:
    """A workflow that passed all checks. `folder` is where its relative paths start, "" where there is none."""

    __slots__ = ("folder", "source", "warnings", "workflow")

    def __init__(
        self, workflow: Workflow, folder: str = "", source: str | None = None, warnings: tuple[Finding, ...] = ()
    ) -> None:
        self.workflow = workflow
        self.folder = folder
        self.source = source
        self.warnings = warnings

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.workflow.id!r} of {len(self.workflow.nodes)} nodes>"


class Reading(Struct, frozen=True):
    """What was read: the workflow (or the resilience file) if it could be made out, and what was found on the way."""

    workflow: Workflow | None
    findings: list[Finding]
    place: Callable[[Pointer, bool], Place]
    name: str | None = None
    folder: str = ""
    resilience: ResilienceConfig | None = None
    kind: Literal["workflow", "resilience"] = "workflow"

    def locate(self, pointer: Pointer, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of what a canonical pointer leads to (or of its key)."""
        place = self.place(pointer, key)
        return place.line, place.column

    def placed(self, found: Finding, offset: int | None = None) -> Finding:
        """A finding with its place; `offset` counts characters into the text that it points at."""
        if found.line is not None:
            return replace(found, file=self.name)
        place = self.place(found.pointer, found.code in _ABOUT_KEYS)
        if offset is not None:
            place = place.within(offset)
        return replace(found, file=self.name, line=place.line, column=place.column)

    def all_placed(self, found: Iterable[tuple[Finding, int | None]]) -> list[Finding]:
        """Several at once: the text is gone through once for all of them."""
        kept = list(found)
        if isinstance(self.place, Locator):
            self.place.expect(one.pointer for one, _ in kept if one.line is None)
        return [self.placed(one, offset) for one, offset in kept]


class PythonReading(Reading, frozen=True):
    """Likewise, of a workflow made in Python: its parts know their lines."""

    at: Callable[[Finding], Finding] = lambda found: found

    def placed(self, found: Finding, offset: int | None = None) -> Finding:
        """A finding with the line of the part and the way to the argument that it is about."""
        return found if found.argument is not None else self.at(found)


def read(path: str | Path) -> Reading:
    """Read a file; by its name it is JSON, or else YAML."""
    file = Path(path)
    name = str(path)
    form: Format = "json" if file.suffix.lower() == ".json" else "yaml"
    return _read(text_of_file(file), form, name, str(file.absolute().parent))


def read_text(data: str | bytes, *, form: Format = "yaml", name: str | None = None, folder: str = "") -> Reading:
    """Read a document that is at hand."""
    return _read(text_of(data), form, name, folder)


def _read(text: str | Finding, form: Format, name: str | None, folder: str) -> Reading:
    if isinstance(text, Finding):
        return Reading(None, [replace(text, file=name)], _nowhere, name, folder)
    if form == "json":
        # Each door is imported where it is used: a file comes through one of them.
        from mainspring.definition.json_door import read_json

        tree, findings = read_json(text)
    else:
        from mainspring.definition.yaml_door import YamlReader

        reader = YamlReader(text)
        tree, findings = reader.read(), reader.findings
    return _understand(tree, findings, text, form, name, folder)


def _understand(tree: Any, findings: list[Finding], text: str, form: Format, name: str | None, folder: str) -> Reading:
    to = Respelling()
    workflow: Workflow | None = None
    resilience: ResilienceConfig | None = None
    kind: Literal["workflow", "resilience"] = "workflow"
    found = list(findings)
    if isinstance(tree, dict):
        faults: list[Finding]
        if vocabulary.is_resilience(tree):
            # Imported here: a workflow, which is the usual document, has no use for its words.
            from mainspring.definition.resilience_spelling import respell_file

            kind = "resilience"
            resilience, faults = convert(respell_file(tree, to), ResilienceConfig)
        else:
            workflow, faults = convert(respell(tree, to), Workflow)
        found += to.findings + faults
    elif not found:
        found.append(finding("MS102", "a workflow must be an object", hint="it begins with `id:` and `nodes:`"))
    reading = Reading(workflow, [], Locator(text, form, to.origin), name, folder, resilience, kind)
    if len(found) > findings_max:
        found[findings_max:] = [finding("MS299", f"there are more findings than findings_max, {findings_max}")]
    placed = reading.all_placed((one, None) for one in found)
    # What is no number is of no type either: to say both would be one too many.
    not_numbers = {(one.line, one.column) for one in placed if one.code == "MS008"}
    reading.findings.extend(one for one in placed if one.code != "MS102" or (one.line, one.column) not in not_numbers)
    return reading


def read_python(part: Part, folder: str = "") -> Reading:
    """Read a workflow that was made in Python."""
    reader, to = PythonReader(), Respelling()
    spelled = respell(reader.read(part), to)
    workflow, faults = convert(spelled, Workflow)

    def placed(found: Finding) -> Finding:
        return reader.placed(found, to.origin(found.pointer))

    found = [*reader.findings, *to.findings, *faults]
    reading = PythonReading(workflow, [], _nowhere, folder=folder, at=placed)
    reading.findings.extend(map(placed, found[:findings_max]))
    return reading


def _nowhere(pointer: Pointer, key: bool = False) -> Place:
    return Place(1, 1)
