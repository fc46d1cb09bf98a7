"""Where a store is: a server's URL as asyncpg takes it, and the schema in which our tables are."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct

from mainspring.errors import StoreError

SCHEMA = "mainspring"
"""Where our tables are when the URL says nothing: what they are called would be in the way in `public`."""

SCHEMA_CHARS_MAX = 48
"""The channel by which engines wake each other is named after the schema, and PostgreSQL's names end at 63 bytes."""

SCHEMES = ("postgresql://", "postgres://")


class Address(Struct, frozen=True):
    """`dsn` is for asyncpg. `shown` is the whole URL without the password: for people, and for what is kept."""

    dsn: str
    schema: str
    shown: str


def address_of(url: str) -> Address:
    """Take a URL apart. Raises StoreError."""
    if not url.startswith(SCHEMES):
        raise StoreError(f"{url!r} names no server: write postgresql://USER@HOST:PORT/DATABASE")
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(given).get("schema", SCHEMA)
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema) or len(schema) > SCHEMA_CHARS_MAX:
        raise StoreError(
            f"schema={schema} cannot be: a schema's name here has small letters, digits and _, and at most"
            f" {SCHEMA_CHARS_MAX} of them"
        )
    query = urlencode([(name, value) for name, value in given if name != "schema"], safe="/:,")
    user, at, place = parts.netloc.rpartition("@")
    for host in place.split(","):
        port = "" if host.endswith("]") else host.partition("]")[2] or host
        if ":" in port and not port.rpartition(":")[2].isdecimal():
            raise StoreError(f"a port is a number, and {host!r} has another")
    known = urlencode([(name, value) for name, value in given if name != "password"], safe="/:,")
    begin = f"{parts.scheme}://"
    return Address(
        f"{begin}{parts.netloc}{parts.path}{query and '?'}{query}",
        schema,
        f"{begin}{user.partition(':')[0]}{at}{place}{parts.path}{known and '?'}{known}",
    )
