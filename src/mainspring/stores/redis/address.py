"""Where a store is: a server's URL as redis-py takes it, and what our keys begin with."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct

from mainspring.errors import StoreError

PREFIX = "mainspring"
"""What our keys begin with when the URL says nothing."""

SCHEMES = ("redis://", "rediss://", "unix://")


class Address(Struct, frozen=True):
    """`dsn` is for redis-py. `shown` is the whole URL without the password: for people, and for what is kept."""

    dsn: str
    prefix: str
    shown: str


def address_of(url: str) -> Address:
    """Take a URL apart. Raises StoreError."""
    if not url.startswith(SCHEMES):
        raise StoreError(f"{url!r} names no server: write redis://HOST:PORT/DATABASE")
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    prefix = dict(given).get("prefix", PREFIX)
    if not re.fullmatch(r"[\w.:-]{1,100}", prefix):
        raise StoreError(f"prefix={prefix} cannot be: it has letters, digits and . : - _, and at most 100 of them")
    if parts.scheme != "unix" and not re.fullmatch(r"/?\d*", parts.path):
        raise StoreError(f"a database of Redis is a number, and {url!r} has another: write redis://HOST:PORT/0")
    try:
        parts.port  # noqa: B018 (it raises)
    except ValueError:
        raise StoreError(f"a port is a number, and {parts.netloc.rpartition('@')[2]!r} has another") from None
    query = urlencode([(name, value) for name, value in given if name != "prefix"], safe="/:,")
    known = urlencode([(name, value) for name, value in given if name != "password"], safe="/:,")
    user, at, place = parts.netloc.rpartition("@")
    begin = f"{parts.scheme}://"
    return Address(
        f"{begin}{parts.netloc}{parts.path}{query and '?'}{query}",
        prefix,
        f"{begin}{user.partition(':')[0]}{at}{place}{parts.path}{known and '?'}{known}",
    )
