"""YAML to a plain tree: the events of the C parser, and a constructor of our own.

The stock constructors read `on:` as True, let duplicate keys pass and expand aliases without a bound. Here scalars are
YAML 1.2 core, duplicates and tags are refused, and every use of an alias counts with all that it stands for.
"""

from __future__ import annotations

from typing import Any

from mainspring.definition.bounds import (
    document_depth_max,
    findings_max,
    object_keys_max,
    text_length_max,
    yaml_bytes_max,
    yaml_nodes_max,
)
from mainspring.definition.findings import Finding, finding
from mainspring.definition.scalars import NotANumber, resolve

_nothing: Any = object()
_as_json = "write large generated workflows as JSON, which may be larger, and move data into files"


class Refused(Exception):
    """The document cannot be read any further."""


class _Open:
    """A container that is being read."""

    __slots__ = ("anchor", "before", "is_map", "key", "value")

    def __init__(self, value: Any, anchor: str | None, before: int) -> None:
        self.value = value
        self.is_map = type(value) is dict
        self.anchor = anchor
        self.before = before
        self.key: Any = _nothing


class YamlReader:
    """Reads one text once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.findings: list[Finding] = []
        self.root: Any = _nothing
        self.stack: list[_Open] = []
        self.top: _Open | None = None
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.count = 0

    def read(self) -> Any:
        """The tree; None where nothing could be made of the text (see `findings`)."""
        import yaml

        if len(self.text) > yaml_bytes_max:
            message = f"the YAML document has more characters than yaml_bytes_max, {yaml_bytes_max}"
            self.place("MS002", message, None, _as_json)
            return None
        try:
            self.events(yaml)
        except Refused:
            return None
        except yaml.MarkedYAMLError as error:
            self.syntax(error)
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
            scalar = self.scalar
            while (event := get()) is not None:
                kind = type(event)
                if kind is scalar_event:
                    scalar(event)
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
        if self.count > yaml_nodes_max:
            self.too_many(event)
        if event.tag is not None:
            self.tagged(event)
        text, top = event.value, self.top
        if len(text) > text_length_max:
            message = f"a text is longer than text_length_max, {text_length_max}"
            self.stop("MS002", message, event, "put data into files or variables of a run")
        if top is not None and top.is_map and top.key is _nothing:
            self.key(top, text, event)
            return
        value: Any = text
        if event.implicit[0]:
            try:
                value = resolve(text)
            except NotANumber as error:
                self.report("MS008", str(error), event, "write it as text, in quotes")
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        if top is None:
            self.root = value
        elif top.is_map:
            top.value[top.key] = value
            top.key = _nothing
        else:
            top.value.append(value)

    def key(self, top: _Open, text: str, event: Any) -> None:
        if text in top.value:
            self.report("MS006", f"duplicate key `{text[:80]}`", event)
        elif text == "<<" and event.implicit[0]:
            hint = "write the keys out; an alias (`retry: *usual`) may stand for a whole value"
            self.report("MS007", "merge keys (`<<`) are not supported", event, hint)
        elif len(top.value) >= object_keys_max:
            message = f"an object has more keys than object_keys_max, {object_keys_max}"
            self.stop("MS002", message, event, "put data into files or variables of a run")
        top.key = text
        if event.anchor is not None:
            self.anchors[event.anchor] = (text, 1)

    def open(self, value: Any, event: Any) -> None:
        if len(self.stack) >= document_depth_max:
            self.stop("MS005", f"nested deeper than document_depth_max, {document_depth_max}", event)
        self.count += 1
        if self.count > yaml_nodes_max:
            self.too_many(event)
        top = self.top
        if top is not None and top.is_map and top.key is _nothing:
            hint = "put `${ … }` in quotes" if self.is_template(event) else "quote it, if it is meant as text"
            self.stop("MS007", "a key must be plain text", event, hint)
        if event.tag is not None:
            self.tagged(event)
        self.put(value)
        self.top = _Open(value, event.anchor, self.count - 1)
        self.stack.append(self.top)

    def close(self) -> None:
        done = self.stack.pop()
        self.top = self.stack[-1] if self.stack else None
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.value, self.count - done.before)

    def alias(self, event: Any) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            self.stop("MS007", f"the alias `*{event.anchor[:80]}` refers to no finished anchor before it", event)
            return
        value, size = known
        self.count += size
        if self.count > yaml_nodes_max:
            self.too_many(event)
        top = self.top
        if top is not None and top.is_map and top.key is _nothing:
            if not isinstance(value, str):
                self.stop("MS007", "a key must be plain text", event)
            if value in top.value:
                self.report("MS006", f"duplicate key `{value[:80]}`", event)
            top.key = value
            return
        self.put(value)

    def put(self, value: Any) -> None:
        top = self.top
        if top is None:
            self.root = value
        elif top.is_map:
            top.value[top.key] = value
            top.key = _nothing
        else:
            top.value.append(value)

    # -- what is wrong

    def too_many(self, event: Any) -> None:
        by_alias = " (each use of an alias counts with all that it stands for)" if self.anchors else ""
        message = f"the document has more keys and values than yaml_nodes_max, {yaml_nodes_max}{by_alias}"
        self.stop("MS002", message, event, _as_json)

    def is_template(self, event: Any) -> bool:
        at = event.start_mark.index
        return self.text[max(at - 2, 0) : at + 1].endswith(("${", "{{")) or self.text[at : at + 2] == "{{"

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
        self.findings.append(Finding(code, found.severity, found.message, hint, None, line, column))
        if len(self.findings) >= findings_max:
            raise Refused

    def syntax(self, error: Any) -> None:
        from mainspring.definition.yaml_syntax import explained

        message, hint, line, column = explained(error, self.text)
        found = finding("MS004", f"not well-formed YAML: {message}")
        self.findings.append(Finding("MS004", found.severity, found.message, hint, None, line, column))

    def unprintable(self, error: Exception) -> None:
        from mainspring.definition.yaml_syntax import forbidden_at

        reason = getattr(error, "reason", None) or str(error).split("\n")[0]
        line, column = forbidden_at(self.text)
        found = finding("MS003", f"a character that text may not hold: {reason}")
        self.findings.append(Finding(found.code, found.severity, found.message, None, None, line, column))
