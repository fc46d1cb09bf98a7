"""Bytes to text. UTF-8, or what a byte order mark says; nothing is guessed, but a guess is offered."""

from __future__ import annotations

import codecs

_marks = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


class NotText(Exception):
    """Bytes that are no text; `hint` says what they may be."""

    def __init__(self, message: str, hint: str | None, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column


def decode(data: str | bytes) -> str:
    """The text. Raises NotText."""
    text = _checked(data) if isinstance(data, str) else _decoded(data)
    nul = text.find("\0")
    if nul >= 0:
        line, column = line_and_column(text, nul)
        alternate = text[: nul + 64].count("\0") * 3 > len(text[: nul + 64].rstrip("\0")) and nul < 2
        hint = "this looks like UTF-16: save the file as UTF-8" if alternate else "take it out"
        raise NotText("a NUL character is no text", hint, line, column)
    return text


def lenient(data: bytes) -> str:
    """The text as far as there is any, to be shown."""
    encoding = next((name for mark, name in _marks if data.startswith(mark)), "utf-8")
    return data.decode(encoding, "replace")


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotText("half of a surrogate pair is no text", None, *line_and_column(text, error.start)) from None
    return text.removeprefix("\ufeff")


def _decoded(data: bytes) -> str:
    encoding = next((name for mark, name in _marks if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        start = error.start
        before = data[:start].decode(encoding, "replace")
        name = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        message = f"the byte {data[start]:#04x} is not {name}: {error.reason}"
        hint = (
            _guess(data, start)
            if name == "UTF-8"
            else f"the byte order mark at its start says {name}; save it as UTF-8"
        )
        raise NotText(message, hint, *line_and_column(before, len(before))) from None


_ends_of_lines = ("\n", "\r", "\x85", "\u2028", "\u2029")


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Where a character stands, from 1, with the ends of lines that YAML knows."""
    ends = sum(text.count(end, 0, offset) for end in _ends_of_lines) - text.count("\r\n", 0, offset)
    return ends + 1, offset - max(text.rfind(end, 0, offset) for end in _ends_of_lines)


def _guess(data: bytes, start: int) -> str:
    if b"\0" in data[:64]:
        return "this looks like UTF-16 or no text at all: save the file as UTF-8"
    shown = data[start : start + 1].decode("cp1252", "replace")
    return f"save the file as UTF-8 (read as Windows-1252 or Latin-1, this would be `{shown}`)"
