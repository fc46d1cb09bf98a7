"""From a resilience file to rules that can be applied: reading and all checks, everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.load import Reading, read
from mainspring.definition.ranges import out_of_range
from mainspring.definition.resilience_file import ResilienceConfig
from mainspring.errors import DefinitionError


def load_resilience(path: str | Path) -> ResilienceConfig:
    """Read and check a resilience file. Raises DefinitionError with everything that is wrong with it."""
    config, found = inspect_resilience(read(path))
    if config is None:
        raise DefinitionError(found)
    return config


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
    spec = config.spec
    parts: list[tuple[Pointer, Struct | None]] = [(("spec",), spec), (("spec", "retry"), spec.retry)]
    for name, policy in spec.step_policies.items():
        at: Pointer = ("spec", "stepPolicies", name)
        parts += [
            ((*at, "retry"), policy.retry),
            ((*at, "circuitBreaker"), policy.circuit_breaker),
            ((*at, "rateLimit"), policy.rate_limit),
        ]
    for place, part in parts:
        if part is not None:
            yield from (((*place, key), message) for key, message in out_of_range(part))
