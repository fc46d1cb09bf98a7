"""The ports that a node can leave by, read in one place for the doors, the checks and the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mainspring.definition.bodies import body_types
from mainspring.definition.deciding import IF_PORTS, SWITCHES, cases, default_port, spellings_of_decision
from mainspring.definition.kind_keys import WAITS_FOR

TIMEOUT = "timeout"
"""The port by which blocks and waits leave when their time is over, where a connection leads on from there."""

MAY_TIME_OUT = frozenset(("wait", *body_types))
APPROVAL_PORTS = ("approved", "rejected")
MILESTONE_PORTS = ("open", "closed")
_PRIMARY_ONLY = frozenset(("log", "transform", "delay", "trigger", "join", "cancel"))

WITH_PORTS = frozenset(("if", *SWITCHES, "terminate", "milestone", *_PRIMARY_ONLY, *MAY_TIME_OUT))
"""The kinds of node whose ports are known before they run."""

_APPROVAL_SPELLINGS = {
    **dict.fromkeys(("approve", "accepted", "accept", "yes", "ok"), "approved"),
    **dict.fromkeys(("reject", "denied", "declined", "refused", "no"), "rejected"),
}
_TIMEOUT_SPELLINGS = dict.fromkeys(("timedout", "timed_out", "timed-out", "ontimeout", "expired"), TIMEOUT)


class Ports(NamedTuple):
    """`names` besides the primary output, which there is where `primary`. `more`: there may be others, not known yet."""

    names: tuple[str, ...]
    primary: bool = False
    more: bool = False

    def has(self, port: str | None) -> bool:
        """Whether a node can leave by it (None: the primary output)."""
        return self.primary if port is None else self.more or port in self.names


def ports_of(type: str, config: Mapping[str, Any], timed: bool = False) -> Ports | None:
    """The ports of a node; None where its work chooses one. `timed`: it has a timeout of its own."""
    if type == "if":
        return Ports(IF_PORTS)
    if type in SWITCHES:
        named = [case.port for case in cases(config) if case.port is not None]
        return Ports(tuple(dict.fromkeys((*named, default_port(config)))))
    if type == "terminate":
        return Ports(())
    if type == "milestone":
        return Ports(MILESTONE_PORTS)
    if type in _PRIMARY_ONLY:
        return Ports((), primary=True)
    if type not in MAY_TIME_OUT:
        return None
    ports = _wait(config) if type == "wait" else _race(config) if type == "race" else Ports((), primary=True)
    return ports._replace(names=tuple(dict.fromkeys((*ports.names, TIMEOUT)))) if timed else ports


def _wait(config: Mapping[str, Any]) -> Ports:
    if "approval" in config:
        return Ports(APPROVAL_PORTS)
    listed = next((config[kind] for kind in WAITS_FOR if kind in config), None)
    if not isinstance(listed, list | tuple):
        return Ports((), primary=True)
    names = [name for name in listed if isinstance(name, str)]
    return Ports(
        tuple(dict.fromkeys(name for name in names if "${" not in name)), more=any("${" in name for name in names)
    )


def _race(config: Mapping[str, Any]) -> Ports:
    branches = config.get("branches")
    if not isinstance(branches, list | tuple):
        return Ports((), primary=True, more=True)
    named = [branch.get("name") if isinstance(branch, Mapping) else None for branch in branches]
    names = tuple(dict.fromkeys(name for name in named if isinstance(name, str)))
    return Ports(names, primary=len(named) != len([name for name in named if isinstance(name, str)]))


def spellings_of(type: str, config: Any) -> dict[str, str]:
    """Other words for the ports of a node, in small letters: `then` and `else` of an `if`, `approve` of an approval."""
    if type not in MAY_TIME_OUT:
        return spellings_of_decision(type, config)
    if not isinstance(config, Mapping):
        return {}
    spelled = {**_TIMEOUT_SPELLINGS, **(_APPROVAL_SPELLINGS if type == "wait" and "approval" in config else {})}
    own = ports_of(type, config)
    return {word: port for word, port in spelled.items() if own is None or word not in own.names}
