"""All the spellings of a workflow to the one that the model has; tree to tree, before the conversion.

Generous in what is read, strict in what comes out. What is wrong stays in the tree for the conversion to report, at
its place in the file; only words and durations, whose meaning is lost once converted, are reported here.
"""

from __future__ import annotations

from typing import Any

from mainspring.definition import model, vocabulary
from mainspring.definition.bodies import body_ways, tree_at, with_tree
from mainspring.definition.findings import Pointer
from mainspring.definition.kind_keys import KIND_WORDS
from mainspring.definition.kinds_spelling import meant_kind, named_branches, respell_kind
from mainspring.definition.policies_spelling import (
    compensation_scopes,
    failure_policies,
    priorities,
    respell_cache,
    respell_check,
    respell_checkpoint,
    respell_invariants,
    respell_join,
    respell_limits,
    respell_resilience,
    respell_retry,
    respell_tags,
    respell_triggers,
)
from mainspring.definition.ports import spellings_of
from mainspring.definition.respell import Respelling, as_id, as_list
from mainspring.definition.vocabulary import duration_fields


def respell(tree: dict[str, Any], to: Respelling) -> dict[str, Any]:
    """A workflow with canonical names throughout."""
    result = to.keys(tree, vocabulary.workflow, ())
    _identify(result, to)
    _graph(result, to, ())
    if "retry" in result:
        result["retry"] = respell_retry(result["retry"], to, ("retry",))
    if isinstance(result.get("resilience"), dict):
        from mainspring.definition.resilience_spelling import respell_spec  # few workflows have rules of their own

        result["resilience"] = respell_spec(result["resilience"], to, ("resilience",))
    if "checkpoint" in result:
        result["checkpoint"] = respell_checkpoint(result["checkpoint"], to, ("checkpoint",))
    if "triggers" in result:
        result["triggers"] = respell_triggers(result["triggers"], to, ("triggers",))
    if "invariants" in result:
        result["invariants"] = respell_invariants(result["invariants"], to, ("invariants",))
    if "check" in result:
        result["check"] = respell_check(result["check"], to, ("check",))
    to.durations(result, duration_fields[model.Workflow], ())
    to.word(result, "failurePolicy", failure_policies, ())
    to.word(result, "compensationScope", compensation_scopes, ())
    respell_limits(result, to, ())
    _stamps(result, to)
    respell_tags(result, to, ())
    return result


def _stamps(result: dict[str, Any], to: Respelling) -> None:
    """When and by whom a workflow was made belongs to its metadata."""
    stamps = {name: result.pop(name) for name in vocabulary.workflow.extra if name in result}
    metadata = result.get("metadata", {})
    if stamps and isinstance(metadata, dict):
        for name in stamps:
            to.moved(("metadata", name), to.origin((name,)))
        result["metadata"] = {**stamps, **metadata}


def _graph(result: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """The nodes and connections of a workflow or of a body, in place."""
    if "nodes" in result:
        result["nodes"] = _nodes(result["nodes"], to, (*at, "nodes"))
    if isinstance(result.get("connections"), list):
        result["connections"] = [
            _connection(item, to, (*at, "connections", index)) for index, item in enumerate(result["connections"])
        ]
        _ports(result["connections"], result.get("nodes"))


def _ports(connections: list[Any], nodes: Any) -> None:
    """Ports have one name each: `then` of an `if` is `true`, `yes` of an approval `approved`."""
    other: dict[Any, dict[str, str]] = {}
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and isinstance(node.get("type"), str) and isinstance(node.get("id"), str):
            spellings = spellings_of(node["type"], node.get("config"))
            if spellings:
                other[node["id"]] = spellings
    for item in connections if other else ():
        if isinstance(item, dict) and isinstance(item.get("source"), str) and isinstance(item.get("sourcePort"), str):
            spelled = other.get(item["source"], {}).get(item["sourcePort"].lower())
            if spelled is not None:
                item["sourcePort"] = spelled


def _identify(result: dict[str, Any], to: Respelling) -> None:
    """A workflow with only a name is called by it; a version is text or a whole number."""
    if "id" in result:
        result["id"] = as_id(result["id"])
    elif isinstance(result.get("name"), str) and (slug := _slug(result["name"])):
        result["id"] = slug
        to.moved(("id",), to.origin(("name",)))
    version = result.get("version")
    if isinstance(version, float):
        result["version"] = str(version)
        hint = f'write "{version}" in quotes'
        to.report("MS107", f"the version {version} is written as a number", ("version",), hint)


def _slug(name: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in name.lower()).split()
    return "-".join(words)[:100]


def _nodes(value: Any, to: Respelling, at: Pointer) -> Any:
    """A list of nodes, or an object of them by id."""
    if isinstance(value, dict):
        nodes = []
        for index, (key, item) in enumerate(value.items()):
            to.moved((*at, index), (*to.origin(at), key))
            nodes.append({"id": key, **item} if isinstance(item, dict) else item)
        value = nodes
    if not isinstance(value, list):
        return value
    return [_node(item, to, (*at, index)) for index, item in enumerate(value)]


def _node(value: Any, to: Respelling, at: Pointer) -> Any:
    if not isinstance(value, dict):
        return value
    result = to.keys(value, vocabulary.node, at)
    if "data" in result:
        _editor_data(result, to, at)
    _work(result, to, at)
    _bodies(result, to, at)
    if "id" in result:
        result["id"] = as_id(result["id"])
    if "dependsOn" in result:
        names = as_list(as_id(result["dependsOn"]))
        result["dependsOn"] = [as_id(name) for name in names] if isinstance(names, list) else names
    if "resilience" in result:
        respell_resilience(result, to, at)
    if "retry" in result:
        result["retry"] = respell_retry(result["retry"], to, (*at, "retry"))
    if "join" in result:
        result["join"] = respell_join(result["join"], to, (*at, "join"))
    if "cache" in result:
        respell_cache(result, to, at)
    to.durations(result, duration_fields[model.Node], at)
    to.word(result, "priority", priorities, at)
    respell_limits(result, to, at)
    respell_tags(result, to, at)
    return result


def _bodies(result: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """The graphs within a node go to its config, and are respelled like the whole."""
    if "body" in result or "branches" in result:
        config = result.get("config", {})
        if not isinstance(config, dict):
            return
        given = {name: result.pop(name) for name in ("body", "branches") if name in result}
        for name in given:
            to.moved((*at, "config", name), to.origin((*at, name)))
        result["config"] = {**config, **given}
    if result.get("type") in ("parallel", "race") and isinstance(result.get("config"), dict):
        result["config"] = named_branches(result["config"], to, (*at, "config"))
    for way in body_ways(result.get("type"), result.get("config")):
        here = (*at, "config", *way)
        body = _body(tree_at(result["config"], way), to, here)
        result["config"] = with_tree(result["config"], way, body)


def _body(value: Any, to: Respelling, at: Pointer) -> dict[str, Any]:
    """A body, or the list of its nodes."""
    if isinstance(value, list):
        to.moved((*at, "nodes"), to.origin(at))
        value = {"nodes": value}
    result = to.keys(value, vocabulary.body, at)
    _graph(result, to, at)
    return result


def _editor_data(result: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """An editor's `data` block: what the model has a field for goes there, the rest is the config."""
    data = result["data"]
    if not isinstance(data, dict):
        return
    del result["data"]
    origin = to.origin((*at, "data"))
    config: dict[str, Any] = {}
    for key, item in data.items():
        name = vocabulary.node.find(key)
        taken = name in ("retry", "timeout", "handler", "code", "path", "runtime") and name not in result
        new = (*at, name) if taken and name is not None else (*at, "config", key)
        to.moved(new, (*origin, key))
        if taken and name is not None:
            result[name] = item
        else:
            config[key] = item
    own = result.get("config", {})
    if config and isinstance(own, dict):
        if not own:
            to.moved((*at, "config"), origin)
        result["config"] = {**config, **own}


def _work(result: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """What a node runs: handler, code, script or action, wherever said, goes to its config and decides its type."""
    given: dict[str, Any] = {
        name: result.pop(name) for name in ("handler", "code", "path", "runtime") if name in result
    }
    for name in given:
        to.moved((*at, "config", name), to.origin((*at, name)))
    kind = word = result.get("type")
    if isinstance(word, str):
        kind = result["type"] = meant_kind(vocabulary.node_type(word), word, result.get("config"))
    if "action" in result and kind in (None, "action", "function"):
        _action(result, given, to, at)
    if kind in (None, "action") and (given or kind == "action"):
        is_script = "handler" not in given and ("path" in given or ("runtime" in given and "code" not in given))
        kind = result["type"] = "script" if is_script else "function"
    config = result.get("config", {})
    if given and isinstance(config, dict):
        config = result["config"] = {**config, **given}
    if kind == "script" and isinstance(config, dict):
        _runtime(result, config, to, (*at, "config"))
    elif kind == "function" and isinstance(config, dict) and "handler" not in config:
        _config_handler(result, config, to, (*at, "config"))
    elif isinstance(kind, str) and isinstance(word, str) and kind in KIND_WORDS and isinstance(config, dict):
        if kind == "delay":
            _delay(result, config, to, (*at, "config"))
        respell_kind(result, kind, word, to, at)


def _delay(result: dict[str, Any], config: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """However long a delay is said to be, `duration` says it: `delayValue: 20` of an editor, `seconds: 3`."""
    said = [name for name in vocabulary.delays if name in config]
    if "duration" in config or len(said) != 1:
        for name in said:
            to.report("MS106", f"`{name}` and another key both say how long the delay is", (*at, name), "leave one out")
        return
    value, unit = config[said[0]], vocabulary.delays[said[0]]
    if unit != 1 and (type(value) is not int and type(value) is not float):
        return  # no number of seconds or minutes: refused where it is checked
    result["config"] = {name: item for name, item in config.items() if name != said[0]}
    result["config"]["duration"] = value if unit == 1 else round(value * unit)
    to.moved((*at, "duration"), (*to.origin(at), said[0]))


def _action(result: dict[str, Any], given: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """`action: {type: X, …}`: X is the handler's name, the rest is its config."""
    action = result["action"]
    if isinstance(action, str):
        given.setdefault("handler", action)
        to.moved((*at, "config", "handler"), to.origin((*at, "action")))
    elif isinstance(action, dict):
        origin = to.origin((*at, "action"))
        for key, item in action.items():
            name = "handler" if key == "type" else key
            given.setdefault(name, item)
            to.moved((*at, "config", name), (*origin, key))
    else:
        return
    result["type"] = "function"
    del result["action"]


def _config_handler(result: dict[str, Any], config: dict[str, Any], to: Respelling, at: Pointer) -> None:
    for key in ("functionName", "handlerId", "function_name", "handler_id"):
        if key in config:
            result["config"] = {("handler" if name == key else name): item for name, item in config.items()}
            to.moved((*at, "handler"), (*to.origin(at), key))
            return


def _runtime(result: dict[str, Any], config: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """A script's runtime: by its name, or by the suffix of its file."""
    config = result["config"] = _script_keys(config, to, at) if config else {}
    if "runtime" in config:
        to.word(config, "runtime", vocabulary.runtimes, at)
    elif isinstance(config.get("path"), str):
        suffix = config["path"].rpartition(".")[2].lower()
        if suffix in vocabulary.runtime_of_suffix:
            config["runtime"] = vocabulary.runtime_of_suffix[suffix]


def _script_keys(config: dict[str, Any], to: Respelling, at: Pointer) -> dict[str, Any]:
    """runtimeType and scriptPath within a script's config (as editors save them)."""
    result: dict[str, Any] = {}
    for key, item in config.items():
        name = {"runtimeType": "runtime", "scriptPath": "path", "script": "code"}.get(key, key)
        if name != key:
            to.moved((*at, name), (*to.origin(at), key))
        result.setdefault(name, item)
    return result


def _connection(value: Any, to: Respelling, at: Pointer) -> Any:
    if not isinstance(value, dict):
        return value
    result = to.keys(value, vocabulary.connection, at)
    for name in ("id", "source", "target"):
        if name in result:
            result[name] = as_id(result[name])
    trigger = result.get("trigger")
    if isinstance(trigger, list) and all(isinstance(flag, str) for flag in trigger):
        flags = {vocabulary.triggers.get(vocabulary.plain(flag), flag) for flag in trigger}
        result["trigger"] = (
            flags.pop() if len(flags) == 1 else "all" if flags <= {"complete", "fail", "all"} else trigger
        )
    elif trigger != "complete":
        to.word(result, "trigger", vocabulary.triggers, at)
    for name in ("condition", "sourcePort"):  # in YAML, `true` is no text
        if isinstance(result.get(name), bool):
            result[name] = "true" if result[name] else "false"
    return result
