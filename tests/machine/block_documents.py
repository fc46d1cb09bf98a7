"""The config of blocks, waits and the like, as a definition has it, from the plain data of `random_bodies`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

CONDITIONS = {
    "greater": "output.v > {}",
    "equal": "output.v == {}",
    "missing": "output.nowhere.at.all == null",
    "error": "error.type == '{}'",
    "input": "input.x > {}",
    "done": "nodes.{}.completed",
    "raise": "1 / (input.x - input.x) > 0",
}
RAISES = "${ 1 / (input.x - input.x) }"


def condition_text(condition: tuple[str, Any], subject: str) -> str:
    """A condition as an expression. `subject` is what it looks at: `output` on a connection, `value` in a config."""
    shape, value = condition
    if shape == "is":
        path, operator, number = value
        return f"{path} {operator} {number}"
    return CONDITIONS[shape].replace("output.", f"{subject}.").format(value)


def template_text(template: Any) -> Any:
    """A template with its expressions as `${ … }`."""
    if isinstance(template, dict):
        return {key: template_text(item) for key, item in template.items()}
    if isinstance(template, list):
        return [template_text(item) for item in template]
    if not isinstance(template, tuple):
        return template
    if template[0] == "get":
        return f"${{ {template[1]} }}"
    if template[0] == "text":
        return "".join(str(template_text(part)) for part in template[1:])
    return RAISES


def block_config(node: dict[str, Any], graph_document: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | None:
    """The config of a node that has a body, waits, stops others or stands at a milestone; None of any other."""
    kind = node["type"]
    if node.get("block"):
        return _block(kind, node["block"], graph_document)
    if kind == "wait":
        return _wait(node["wait"])
    if kind == "cancel":
        return {"nodes": node["cancels"]}
    if kind == "milestone":
        return {key: id for key, id in node["milestone"].items() if id}
    if kind == "delay" and node.get("until") is not None:
        return {"until": _iso(node["until"]) if node["iso"] else node["until"]}
    return None


def _block(kind: str, block: dict[str, Any], graph_document: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    bodies = []
    for body in block["bodies"]:
        output = {} if body["output"] is None else {"output": template_text(body["output"])}
        name = {"name": body["name"]} if body.get("name") else {}
        bodies.append({**graph_document(body), **output, **name})
    config: dict[str, Any] = {"branches": bodies} if kind in ("parallel", "race") else {"body": bodies[0]}
    for key in ("concurrency", "onError", "succeedAt", "maxIterations", "collect"):
        if block.get(key) is not None:
            config[key] = block[key]
    for key in ("items", "initial", "more", "name"):
        if key in block and (block[key] is not None or key == "items"):
            config[key] = template_text(block[key])
    if isinstance(block.get("items"), dict) and "range" in block["items"]:
        config.update(config.pop("items"))
    for key in ("condition", "stopWhen"):
        if block.get(key) is not None:
            config[key] = condition_text(block[key], "value")
    return config


def _wait(wait: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {wait["kind"]: template_text(wait["names"])}
    if wait["schema"]:
        config["schema"] = {"type": wait["schema"]}
    if wait["transient"] is not None:
        config["transient"] = wait["transient"]
    return config


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
