"""`mainspring validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding
    from mainspring.definition.load import Definition
    from mainspring.definition.resilience_file import ResilienceConfig


@click.command("validate", short_help="Check workflows without running them.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Load more tasks; may be repeated.")
@click.option("--resilience", metavar="FILE", help="The rules of this resilience file hold too.")
@click.option("--json", "as_json", is_flag=True, help="A list on stdout: for each file what was found.")
def command(files: tuple[str, ...], imports: tuple[str, ...], resilience: str | None, as_json: bool) -> int:
    """Check workflows without running them: everything that is wrong, at its place.

    \b
    mainspring validate order.yaml
    mainspring validate workflows/*.yaml --json

    The code of the tasks is looked for too (which imports it); what cannot be found is a warning. Resilience files are
    known by their `kind`.
    """
    from mainspring.cli import preparing

    with preparing.stdout_for(as_json):
        preparing.load_modules(imports)
        checked = [_check(file, resilience) for file in files]
    if as_json:
        import json

        print(json.dumps([_as_data(*one) for one in checked], ensure_ascii=False))
    else:
        _show(checked)
    return exits.COMPLETED if all(definition for _, definition, _ in checked) else exits.USAGE


Checked = tuple[str, "Definition | ResilienceConfig | None", "list[Finding]"]


def _check(file: str, resilience: str | None = None) -> Checked:
    from msgspec.structs import replace

    from mainspring.cli import preparing
    from mainspring.definition.load import read
    from mainspring.graph.check import inspect_reading, with_resilience

    reading = read(file)
    if reading.kind == "resilience":
        from mainspring.graph.check_resilience import inspect_resilience

        config, told = inspect_resilience(reading)
        return file, config, list(told)
    definition, found = inspect_reading(reading)
    findings = list(found)
    if definition is not None and resilience is not None:
        definition = with_resilience(definition, resilience)
    if definition is not None:
        findings += [replace(one, severity="warning") for one in preparing.not_run_yet(definition, file)]
        findings += preparing.not_enforced_yet(definition, file)
        findings += preparing.task_findings(definition, file)
        findings += _children(definition, file)
        findings.sort(key=lambda one: (one.line or 0, one.column or 0))
        if any(one.severity == "error" for one in findings):
            definition = None
    return file, definition, findings


def _children(definition: Definition, file: str) -> list[Finding]:
    """A store may know a workflow that no file has: it is a warning here."""
    from msgspec.structs import replace

    from mainspring.cli import preparing
    from mainspring.errors import DefinitionError

    try:
        return [replace(one, severity="warning") for one in preparing.children_findings(definition, file)]
    except DefinitionError as error:  # of the child's file, which has a report of its own if it is asked for
        return [one for one in error.findings if one.severity == "error"]


def _show(checked: list[Checked]) -> None:
    from mainspring.cli import faults, look
    from mainspring.cli.words import clean

    out, err = look.out(), look.err()
    for file, definition, findings in checked:
        faults.show_findings(err, findings)
        err.flush()
        told = faults.tally(findings)
        if definition is None:
            err.line(f"{err.symbol('failed')} {clean(file)}: {told}")
            err.flush()
            continue
        warned = f" ({told})" if told else ""
        ok = out.paint("ok", "green")
        out.line(f"{out.symbol('completed')} {clean(file)}: {ok}, {_summary(definition)}{warned}")
        out.flush()


def _summary(definition: Definition | ResilienceConfig) -> str:
    from mainspring.cli.words import count
    from mainspring.definition.resilience_file import ResilienceConfig

    if isinstance(definition, ResilienceConfig):
        policies = len(definition.spec.step_policies)
        return f"a resilience file with {count(policies, 'step policy', 'step policies')}"
    nodes, connections, entries = _counts(definition)
    return ", ".join([count(nodes, "node"), count(connections, "connection"), count(entries, "entry point")])


def _as_data(file: str, definition: Definition | ResilienceConfig | None, findings: list[Finding]) -> dict[str, Any]:
    from mainspring.cli.faults import as_data
    from mainspring.definition.resilience_file import ResilienceConfig

    told: dict[str, Any] = {"file": file, "valid": definition is not None}
    if isinstance(definition, ResilienceConfig):
        told.update(kind=definition.kind, stepPolicies=len(definition.spec.step_policies))
    elif definition is not None:
        nodes, connections, entries = _counts(definition)
        told.update(id=definition.workflow.id, nodes=nodes, connections=connections, entryPoints=entries)
    return {**told, "findings": [as_data(one) for one in findings]}


def _counts(definition: Definition) -> tuple[int, int, int]:
    from mainspring.graph.plan import Plan

    plan = Plan(definition.workflow)
    return len(plan.nodes), len(plan.connections), len(plan.roots)
