"""Kinds of node that are not mainspring's own: declared by a decorator, or offered by an installed plugin.

A plugin is a distribution with entry points of the group `mainspring.nodes`, each from the name of a kind to its object:

    [project.entry-points."mainspring.nodes"]
    "slack.post" = "acme_slack:post"

Which plugins there are is read from the metadata of what is installed, and that only when somebody asks for a type that
nobody knows yet; a plugin's code is imported when a definition uses its kind, or all kinds are listed. What goes wrong
then is a value (`Unusable`) that says so, never an exception: somebody else's fault must not stop work that has nothing to do
with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from mainspring.definition.node_kind import ATTRIBUTE
from mainspring.definition.vocabulary import node_type, node_types, plain, runtimes

name_length_max = 80
_name = re.compile(r"[^\W\d_][\w]*(?:[.:/-]\w+)*")


class NodeKind(Struct, frozen=True, eq=False):
    """A kind of node: `handler` does the work of an attempt. `schema` is the JSON Schema of a node's config, `config` the
    type that it is decoded to (None: plain objects). `ports` are those by which it may leave beside the primary output."""

    name: str
    handler: Callable[..., Any]
    what: str = ""
    icon: str = ""
    ports: tuple[str, ...] = ()
    schema: dict[str, Any] = {}
    config: Any = None
    process: bool = False


class Source(Struct, frozen=True):
    """Where a kind comes from: `module:name`, and the distribution that offers it (empty for one that was only imported)."""

    reference: str
    distribution: str = ""
    version: str = ""

    def text(self) -> str:
        """As people read it: `acme-slack 1.2 (acme_slack:post)`."""
        return f"{self.distribution} {self.version} ({self.reference})" if self.distribution else self.reference


class Unusable(Struct, frozen=True):
    """A kind that an installed plugin offers, and that cannot be used, with why."""

    name: str
    sources: tuple[Source, ...]
    reason: str


class Listed(Struct, frozen=True):
    """A kind as it is listed."""

    kind: NodeKind
    source: Source


_declared: dict[str, NodeKind] = {}


def declare(kind: NodeKind) -> None:
    """Make a kind known to this process. Raises ValueError where its name cannot be one, or is another's."""
    if len(kind.name) > name_length_max or _name.fullmatch(kind.name) is None:
        hint = "a letter, then letters, digits and `_`, in parts joined by `.`, `:`, `/` or `-`"
        raise ValueError(f"{kind.name!r} cannot be the name of a node kind: {hint}, as in `slack.post`")
    owner = built_in(kind.name)
    if owner is not None:
        raise ValueError(f"{kind.name!r} cannot be declared: {owner}. A name with a dot, as in `slack.post`, never is")
    known = _declared.get(kind.name)
    if known is not None and known.handler is not kind.handler and _place(known.handler) != _place(kind.handler):
        first, second = _title(known.handler), _title(kind.handler)
        raise ValueError(f"two node kinds want the name {kind.name!r}: {first} and {second}")
    _declared[kind.name] = kind


def built_in(name: str) -> str | None:
    """Why mainspring itself means something by this name; None where it does not."""
    own = node_type(name)
    if own in node_types:
        return f"it is the built-in kind `{own}`" if own == name else f"it is read as the built-in kind `{own}`"
    return "it names the runtime of a script" if plain(name) in runtimes else None


def find(type: str) -> NodeKind | Unusable | None:
    """What a type means that is not one of mainspring's own; None where nobody knows it. May import a plugin."""
    known = _declared.get(type)
    if known is not None or type in node_types:
        return known
    from mainspring.graph.plugins import plugins  # for those who use one

    offered = plugins()
    return offered.kind(type) if type in offered.offers else None


def ports_of(type: str) -> tuple[str, ...] | None:
    """The ports that a custom kind declares, beside the primary output; None where the type is no usable custom kind."""
    found = find(type)
    return found.ports if isinstance(found, NodeKind) else None


def names() -> list[str]:
    """All names that `find` knows. Imports nothing."""
    from mainspring.graph.plugins import plugins

    return sorted({*_declared, *(name for name in plugins().offers if built_in(name) is None)})


def all_kinds() -> list[Listed | Unusable]:
    """Everything there is, by name, and what cannot be used with its reason. Imports all plugins."""
    from mainspring.graph.plugins import plugins

    offered = plugins()
    found: list[Listed | Unusable] = []
    for name, offers in offered.offers.items():
        kind = offered.kind(name)
        if isinstance(kind, Unusable):
            found.append(kind)
        else:
            found.append(Listed(kind, offers[0].source))
    listed = {one.kind.name for one in found if isinstance(one, Listed)}
    found += [Listed(kind, Source(_reference(kind.handler))) for name, kind in _declared.items() if name not in listed]
    return sorted(found, key=lambda one: one.kind.name if isinstance(one, Listed) else one.name)


def kind_of(function: Any) -> NodeKind | None:
    """What the decorator was told about this function; None where it has none."""
    kind = getattr(function, ATTRIBUTE, None)
    return kind if isinstance(kind, NodeKind) else None


# -- words


def _place(function: Callable[..., Any]) -> tuple[str, str]:
    code = getattr(function, "__code__", None)
    file = getattr(code, "co_filename", None) or getattr(function, "__module__", "") or ""
    return file, getattr(function, "__qualname__", "") or repr(function)


def _title(function: Callable[..., Any]) -> str:
    file, qualname = _place(function)
    return f"{qualname} ({file})"


def _reference(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
