"""From a file or text to the model, with everything that is wrong at its place.

This is only reading. `graph.check` joins it with the checks on the graph, and has the public `load` and `loads`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from mainspring.definition import vocabulary
from mainspring.definition.bounds import document_bytes_max, findings_max
from mainspring.definition.convert import convert
from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.json_door import read_json, scan
from mainspring.definition.model import Workflow
from mainspring.definition.places import Place, Places
from mainspring.definition.python_door import Part, PythonReader
from mainspring.definition.resilience_file import ResilienceConfig
from mainspring.definition.respell import Respelling
from mainspring.definition.spelling import respell
from mainspring.definition.yaml_door import YamlReader

Format = Literal["yaml", "json"]

_marks = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)


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
        place = self.place(found.pointer, found.code in ("MS104", "MS106"))
        column = place.column
        if offset is not None and place.inner is not None:
            column += place.inner + offset
        return replace(found, file=self.name, line=place.line, column=column)


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
    try:
        if not file.is_file():
            reason = "it is no regular file" if file.exists() else "there is no such file"
            return _unread("MS001", f"cannot read {name}: {reason}", name)
        with file.open("rb") as stream:
            data = stream.read(document_bytes_max + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return _unread("MS001", f"cannot read {name}: {reason}", name)
    form: Format = "json" if file.suffix.lower() == ".json" else "yaml"
    return read_text(data, form=form, name=name, folder=str(file.absolute().parent))


def read_text(data: str | bytes, *, form: Format = "yaml", name: str | None = None, folder: str = "") -> Reading:
    """Read a document that is at hand."""
    if len(data) > document_bytes_max:
        return _unread("MS002", f"the document has more bytes than document_bytes_max, {document_bytes_max}", name)
    text = _decode(data)
    if isinstance(text, Finding):
        return Reading(None, [replace(text, file=name)], _nowhere, name, folder)
    if form == "json":
        tree, findings = read_json(text)
    else:
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
    places: list[Places] = []

    def place(pointer: Pointer, key: bool = False) -> Place:
        if not places:
            places.append(_places(text, form))
        return places[0].find(to.origin(pointer), key)

    reading = Reading(workflow, [], place, name, folder, resilience, kind)
    reading.findings.extend(reading.placed(one) for one in found[:findings_max])
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


def _places(text: str, form: Format) -> Places:
    if form == "json":
        return scan(text)[0]
    places = Places()
    YamlReader(text, places).read()
    return places


def _decode(data: str | bytes) -> str | Finding:
    """The text, or the finding that says why it is none."""
    try:
        if isinstance(data, str):
            data.encode()
            text = data.removeprefix("\ufeff")
        else:
            encoding = next((name for mark, name in _marks if data.startswith(mark)), "utf-8")
            text = data.decode(encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = data.count(b"\n", 0, start) + 1 if isinstance(data, bytes) else 1
        return _at("MS003", f"the text is not {getattr(error, 'encoding', 'utf-8')}: {error}"[:200], line, 1)
    nul = text.find("\0")
    if nul >= 0:
        column = nul - text.rfind("\n", 0, nul)
        return _at("MS003", "a NUL character is no text", text.count("\n", 0, nul) + 1, column)
    return text


def _at(code: str, message: str, line: int, column: int) -> Finding:
    return replace(finding(code, message), line=line, column=column)


def _unread(code: str, message: str, name: str | None) -> Reading:
    return Reading(None, [replace(finding(code, message), file=name)], _nowhere, name)


def _nowhere(pointer: Pointer, key: bool = False) -> Place:
    return Place(1, 1)
