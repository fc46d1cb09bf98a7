"""YAML to a plain tree: the events of the C parser, and a constructor of our own.

The stock constructors read `on:` as True, let duplicate keys pass and expand aliases without a bound. Here scalars are
YAML 1.2 core, duplicates and tags are refused, and every use of an alias counts with all that it stands for.
"""

from __future__ import annotations

from typing import Any

from mainspring.definition.bounds import document_depth_max, document_nodes_max, findings_max
from mainspring.definition.findings import Finding, finding
from mainspring.definition.places import Place, Places
from mainspring.definition.scalars import NotANumber, resolve

_nothing: Any = object()


class Refused(Exception):
    """The document cannot be read any further."""


class _Open:
    """A container that is being read."""

    __slots__ = ("anchor", "before", "key", "key_place", "value")

    def __init__(self, value: Any, anchor: str | None, before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self.key: Any = _nothing
        self.key_place: Any = None


class YamlReader:
    """Reads one text once; `places` are kept only where asked for."""

    def __init__(self, text: str, places: Places | None = None) -> None:
        self.text = text
        self.places = places
        self.findings: list[Finding] = []
        self.root: Any = _nothing
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.count = 0

    def read(self) -> Any:
        """The tree; None where nothing could be made of the text (see `findings`)."""
        import yaml

        try:
            self.events(yaml)
        except Refused:
            return None
        except yaml.MarkedYAMLError as error:
            self.syntax(error.problem or error.context or "not well-formed", error.problem_mark or error.context_mark)
            return None
        except yaml.YAMLError as error:
            self.unprintable(error)
            return None
        if self.root is _nothing:
            self.report("MS004", "the document is empty", None, "a workflow has at least `id` and `nodes`")
            return None
        return self.root

    def events(self, yaml: Any) -> None:
        parser = yaml.cyaml.CParser(self.text)
        try:
            get, scalar_event, alias_event = parser.get_event, yaml.ScalarEvent, yaml.AliasEvent
            mapping_start, sequence_start = yaml.MappingStartEvent, yaml.SequenceStartEvent
            ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
            while (event := get()) is not None:
                kind = type(event)
                if kind is scalar_event:
                    self.scalar(event)
                elif kind is mapping_start or kind is sequence_start:
                    self.open({} if kind is mapping_start else [], event)
                elif kind in ends:
                    self.close()
                elif kind is alias_event:
                    self.alias(event)
                elif kind is yaml.DocumentStartEvent and self.root is not _nothing:
                    self.stop(
                        "MS007", "a second document begins here", event, "put each workflow into a file of its own"
                    )
        finally:
            parser.dispose()

    # -- events

    def scalar(self, event: Any) -> None:
        self.count += 1
        text = event.value
        top = self.stack[-1] if self.stack else None
        if event.tag is not None:
            self.tagged(event)
        if top is not None and type(top.value) is dict and top.key is _nothing:
            self.key(top, text, event)
            return
        value: Any = text
        if event.implicit[0]:
            try:
                value = resolve(text)
            except NotANumber as error:
                self.report("MS008", str(error), event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self.put(value, event)

    def key(self, top: _Open, text: str, event: Any) -> None:
        if text in top.value:
            self.report("MS006", f"duplicate key `{text[:80]}`", event)
        top.key = text
        top.key_place = event.start_mark
        if event.anchor is not None:
            self.anchors[event.anchor] = (text, 1)

    def open(self, value: Any, event: Any) -> None:
        if len(self.stack) >= document_depth_max:
            self.stop("MS005", f"nested deeper than document_depth_max, {document_depth_max}", event)
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.value) is dict and top.key is _nothing:
            self.stop("MS007", "a key must be plain text", event)
        if event.tag is not None:
            self.tagged(event)
        self.count += 1
        self.put(value, event)
        self.stack.append(_Open(value, event.anchor, self.count - 1))

    def close(self) -> None:
        done = self.stack.pop()
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.value, self.count - done.before)
        if self.count > document_nodes_max:
            self.stop("MS002", f"the document has more values than document_nodes_max, {document_nodes_max}", None)

    def alias(self, event: Any) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            self.stop("MS007", f"the alias `*{event.anchor}` refers to no finished anchor before it", event)
            return
        value, size = known
        self.count += size
        if self.count > document_nodes_max:
            message = f"aliases blow the document up to more values than document_nodes_max, {document_nodes_max}"
            self.stop("MS002", message, event)
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.value) is dict and top.key is _nothing:
            if not isinstance(value, str):
                self.stop("MS007", "a key must be plain text", event)
            self.key(top, value, event)
            return
        self.put(value, event)

    def put(self, value: Any, event: Any) -> None:
        if not self.stack:
            self.root = value
            if self.places is not None:
                self.places.root = value
                self.places.start = _place(event, value)
            return
        top = self.stack[-1]
        if type(top.value) is dict:
            key, top.key = top.key, _nothing
            top.value[key] = value
        else:
            key = len(top.value)
            top.value.append(value)
        if self.places is not None:
            self.places.values.setdefault(id(top.value), {})[key] = _place(event, value)
            if type(top.value) is dict:
                mark = top.key_place
                self.places.keys.setdefault(id(top.value), {})[key] = Place(mark.line + 1, mark.column + 1)

    # -- what is wrong

    def tagged(self, event: Any) -> None:
        self.report("MS007", f"the tag `{event.tag[:80]}` is not supported", event, "leave it out")

    def report(self, code: str, message: str, event: Any, hint: str | None = None) -> None:
        mark = event.start_mark if event is not None else None
        self.place(code, message, mark, hint)

    def stop(self, code: str, message: str, event: Any, hint: str | None = None) -> None:
        self.report(code, message, event, hint)
        raise Refused

    def place(self, code: str, message: str, mark: Any, hint: str | None = None) -> None:
        found = finding(code, message, hint=hint)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        self.findings.append(Finding(found.code, found.severity, message, hint, None, line, column))
        if len(self.findings) >= findings_max:
            raise Refused

    def syntax(self, problem: str, mark: Any) -> None:
        hint = "indent with spaces, not with tabs" if "start any token" in problem else None
        self.place("MS004", f"not well-formed YAML: {problem}", mark, hint)

    def unprintable(self, error: Exception) -> None:
        reason = getattr(error, "reason", None) or str(error).split("\n")[0]
        offset = next((at for at, c in enumerate(self.text) if _forbidden(c)), 0)
        line = self.text.count("\n", 0, offset) + 1
        column = offset - (self.text.rfind("\n", 0, offset) + 1) + 1
        found = finding("MS003", f"a character that text may not hold: {reason}")
        self.findings.append(Finding(found.code, found.severity, found.message, None, None, line, column))


def _forbidden(character: str) -> bool:
    """What YAML does not print: control characters but tab, line feed, carriage return and next line."""
    code = ord(character)
    return (code < 32 and character not in "\t\n\r") or (127 <= code < 160 and code != 0x85) or code in (0xFFFE, 0xFFFF)


def _place(event: Any, value: Any) -> Place:
    start, end = event.start_mark, event.end_mark
    style = getattr(event, "style", None)
    inner = None
    if isinstance(value, str) and start.line == end.line and style in (None, "", '"', "'"):
        quote = 1 if style in ('"', "'") else 0
        if end.column - start.column == len(value) + 2 * quote:
            inner = quote
    return Place(start.line + 1, start.column + 1, inner)
