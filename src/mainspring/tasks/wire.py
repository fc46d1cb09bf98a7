"""What an engine and its worker processes say to each other: MessagePack over a socket, one message after the other.

Nothing is pickled: a task's input and output cross as the JSON that is journaled, so what works in a process of its own is
what works everywhere, and a worker can make its parent do nothing but read data.
"""

from __future__ import annotations

import socket
import struct

import msgspec
from msgspec import Struct

from mainspring.messaging.task import TaskFault

_LENGTH = struct.Struct(">Q")
_CHUNK_BYTES = 1 << 20


class Work(Struct, tag="work"):
    """An order: call what `reference` leads to (or what `code` says) once."""

    reference: str
    code: str
    folder: str
    instance: str
    path: str
    run: int
    attempt: int
    idempotency_key: str
    input: bytes
    variables: bytes
    max_attempts: int
    config: bytes = b""
    """A node's config, where it is of a custom kind: `reference` then leads to the function of that kind."""
    compensation: bytes = b""


class Taken(Struct, tag="taken"):
    """The worker has the order. Whoever hears nothing after this knows that the work had begun."""


class Progress(Struct, tag="progress"):
    """The task says how far it is."""

    percent: float
    text: str


class Ended(Struct, tag="ended"):
    """The task is at its end: its output and the variables that it set, as JSON, or its fault."""

    output: bytes = b"null"
    port: str | None = None
    variables: dict[str, bytes] | None = None
    fault: TaskFault | None = None


Message = Work | Taken | Progress | Ended

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class Wire:
    """One end of the line."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line

    def send(self, message: Message) -> None:
        """Raises OSError where nobody is there any more."""
        body = _encode(message)
        self.line.sendall(_LENGTH.pack(len(body)))
        self.line.sendall(body)

    def receive(self) -> Message:
        """The next message. Raises EOFError where the other end is gone."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        message: Message = _decode(self._read(length))
        return message

    def _read(self, count: int) -> bytes:
        read = bytearray()
        while len(read) < count:
            part = self.line.recv(min(count - len(read), _CHUNK_BYTES))
            if not part:
                raise EOFError
            read += part
        return bytes(read)

    def close(self) -> None:
        self.line.close()
