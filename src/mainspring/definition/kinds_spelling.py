"""The config of blocks and waits in its one form: their keys, words and short forms."""

from __future__ import annotations

from typing import Any

from mainspring.definition import vocabulary
from mainspring.definition.findings import Pointer
from mainspring.definition.kind_keys import KIND_WORDS, WAITS_FOR
from mainspring.definition.ports import MAY_TIME_OUT
from mainspring.definition.respell import Respelling, as_id, as_list

_TIMEOUTS = ("timeout", "timeoutms", "expiresafter")
_RANGE = {"start": "from", "begin": "from", "end": "to", "through": "to", "by": "step", "increment": "step"}


def meant_kind(kind: str, word: str, config: Any) -> str:
    """A `loop` or `repeat` is the kind of loop that its config tells; a `wait` for a time is a delay."""
    if not isinstance(config, dict):
        return kind
    if kind == "while" and vocabulary.plain(word) in ("loop", "repeat"):
        words = KIND_WORDS["forEach"]
        if any(words.find(key) in ("items", "range") for key in config):
            return "forEach"
        return "until" if any(vocabulary.plain(key) == "until" for key in config) else kind
    if kind == "wait" and word == kind and not any(KIND_WORDS[kind].find(key) in WAITS_FOR for key in config):
        times = {"duration", *vocabulary.delays}
        is_time = any(key in times or KIND_WORDS["delay"].find(key) == "until" for key in config)
        return "delay" if is_time else kind
    return kind


def respell_kind(node: dict[str, Any], kind: str, word: str, to: Respelling, at: Pointer) -> None:
    """The config of such a node, in place of what it was. `word` is what its type was called."""
    here = (*at, "config")
    _misplaced(node, kind, to, at)
    config = node["config"] = to.keys(node.get("config", {}), KIND_WORDS[kind], here)
    if kind in MAY_TIME_OUT:
        _timeout(node, config, to, at)
    if kind == "wait":
        _wait(node, config, word, to, at)
    elif kind == "cancel" and "nodes" in config:
        names = as_list(as_id(config["nodes"]))
        config["nodes"] = [as_id(name) for name in names] if isinstance(names, list) else names
    elif kind == "milestone":
        config.update({key: as_id(config[key]) for key in ("after", "before") if key in config})
    elif kind in ("forEach", "parallel"):
        to.word(config, "onError", vocabulary.on_error, here)
        if isinstance(config.get("range"), dict):
            config["range"] = _range(config["range"], to, (*here, "range"))


def _misplaced(node: dict[str, Any], kind: str, to: Respelling, at: Pointer) -> None:
    """Keys of the config that stand beside it: refused, but taken for what they mean, so that nothing else seems to lack."""
    words = KIND_WORDS[kind]
    for key in [key for key in node if vocabulary.node.find(key) is None and words.find(key) is not None]:
        hint = f"what a kind of node is told stands in its config: `config: {{{key}: …}}`"
        to.report("MS104", f"unknown key `{key}` in a node", (*at, key), hint)
        node["config"] = {**node.get("config", {}), key: node.pop(key)}
        to.moved((*at, "config", key), (*to.origin(at), key))


def named_branches(config: dict[str, Any], to: Respelling, at: Pointer) -> dict[str, Any]:
    """The same config: an object of branches by name is a list of branches that have names."""
    given = config.get("branches")
    if not isinstance(given, dict):
        return config
    branches = []
    origin = to.origin((*at, "branches"))
    for index, (name, branch) in enumerate(given.items()):
        here = (*at, "branches", index)
        to.moved(here, (*origin, name))
        if isinstance(branch, list):
            to.moved((*here, "nodes"), (*origin, name))
            branch = {"nodes": branch}
        branches.append({"name": name, **branch} if isinstance(branch, dict) else branch)
    return {**config, "branches": branches}


def _timeout(node: dict[str, Any], config: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """It is the node's own, wherever it was said."""
    for key in [key for key in config if vocabulary.plain(key) in _TIMEOUTS]:
        if "timeout" in node:
            message = "`timeout` and `config.timeout` both say how long the node may take"
            to.report("MS106", message, (*at, "config", key), "leave one out")
        else:
            node["timeout"] = config[key]
            to.moved((*at, "timeout"), (*to.origin((*at, "config")), key))
        del config[key]


def _wait(node: dict[str, Any], config: dict[str, Any], word: str, to: Respelling, at: Pointer) -> None:
    """`type: approval` waits for one: by the `name` in its config, or else by the node's own id."""
    meant = vocabulary.meant_by_type.get(vocabulary.plain(word))
    if meant is None or any(key in config for key in WAITS_FOR):
        return
    if "name" in config:
        config[meant] = config.pop("name")
        to.moved((*at, "config", meant), (*to.origin((*at, "config")), "name"))
    elif "id" in node:
        config[meant] = as_id(node["id"])
        to.moved((*at, "config", meant), to.origin((*at, "id")))


def _range(given: dict[str, Any], to: Respelling, at: Pointer) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in given.items():
        name = _RANGE.get(vocabulary.plain(key), key)
        if name in result:
            to.report("MS106", f"`{name}` of the range is said twice", (*at, key), "leave one out")
            continue
        if name != key:
            to.moved((*at, name), (*to.origin(at), key))
        result[name] = item
    return result
