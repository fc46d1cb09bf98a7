"""From a resilience file to rules that can be applied: reading and all checks, everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mainspring.definition.bodies import bodies
from mainspring.definition.findings import Finding, Pointer, did_you_mean, finding
from mainspring.definition.load import Reading, read
from mainspring.definition.model import Body, Node, ResilienceSpec, Workflow
from mainspring.definition.ranges import out_of_range
from mainspring.definition.resilience_file import ResilienceConfig
from mainspring.errors import DefinitionError


def load_resilience(path: str | Path) -> ResilienceConfig:
    """Read and check a resilience file. Raises DefinitionError with everything that is wrong with it."""
    config, found = inspect_resilience(read(path))
    if config is None:
        raise DefinitionError(found)
    return config


def spec_of(config: ResilienceConfig, path: str | Path) -> ResilienceSpec:
    """The rules by the name that decisions tell: their own, that of the metadata, or else the file's."""
    name = config.spec.name or config.metadata.get("name")
    return replace(config.spec, name=name if isinstance(name, str) and name else Path(path).stem)


def unknown_policies(workflow: Workflow) -> list[Finding]:
    """One finding for each node that names a step policy which the workflow's rules do not have."""
    known = {} if workflow.resilience is None else workflow.resilience.step_policies
    return [
        finding(
            "MS246",
            f"node `{node.id}` names the policy `{node.resilience.policy}`, which no resilience file has that is applied",
            (*at, "resilience", "policy"),
            did_you_mean(node.resilience.policy, known) or "apply a file that has it: `--resilience FILE`",
        )
        for node, at in _nodes(workflow, ())
        if node.resilience is not None and node.resilience.policy is not None and node.resilience.policy not in known
    ]


def _nodes(graph: Workflow | Body, at: Pointer) -> Iterator[tuple[Node, Pointer]]:
    for index, node in enumerate(graph.nodes):
        here = (*at, "nodes", index)
        yield node, here
        for way, body in bodies(node):
            yield from _nodes(body, (*here, *way))


def inspect_resilience(reading: Reading) -> tuple[ResilienceConfig | None, tuple[Finding, ...]]:
    """The rules, None where they cannot be applied, and all that was found in the order of the file."""
    found = list(reading.findings)
    config = reading.resilience
    if reading.kind != "resilience":
        found.append(reading.placed(finding("MS109", "this is a workflow, no resilience file")))
    if config is not None:
        found += [reading.placed(finding("MS219", message, at)) for at, message in _out_of_range(config)]
    found.sort(key=lambda one: (one.line or 0, one.column or 0))
    if any(one.severity == "error" for one in found):
        config = None
    return config, tuple(found)


def _out_of_range(config: ResilienceConfig) -> Iterator[tuple[Pointer, str]]:
    return spec_out_of_range(config.spec, ("spec",))


def spec_out_of_range(spec: ResilienceSpec, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    """The numbers of rules that make no sense, each at its place and with what is wrong."""
    parts: list[tuple[Pointer, Struct | None]] = [(here, spec), ((*here, "retry"), spec.retry)]
    for name, policy in spec.step_policies.items():
        at: Pointer = (*here, "stepPolicies", name)
        parts += [
            ((*at, "retry"), policy.retry),
            ((*at, "circuitBreaker"), policy.circuit_breaker),
            ((*at, "rateLimit"), policy.rate_limit),
        ]
    for place, part in parts:
        if part is not None:
            yield from (((*place, key), message) for key, message in out_of_range(part))
