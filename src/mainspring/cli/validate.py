"""`mainspring validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding
    from mainspring.definition.load import Definition


@click.command("validate", short_help="Check workflows without running them.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Load more tasks; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="A list on stdout: for each file what was found.")
def command(files: tuple[str, ...], imports: tuple[str, ...], as_json: bool) -> int:
    """Check workflows without running them: everything that is wrong, at its place.

    \b
    mainspring validate order.yaml
    mainspring validate workflows/*.yaml --json

    The code of the tasks is looked for too (which imports it); what cannot be found is a warning.
    """
    from mainspring.cli import preparing

    with preparing.stdout_for(as_json):
        preparing.load_modules(imports)
        checked = [_check(file) for file in files]
    if as_json:
        import json

        print(json.dumps([_as_data(*one) for one in checked], ensure_ascii=False))
    else:
        _show(checked)
    return exits.COMPLETED if all(definition for _, definition, _ in checked) else exits.USAGE


Checked = tuple[str, "Definition | None", "list[Finding]"]


def _check(file: str) -> Checked:
    from msgspec.structs import replace

    from mainspring.cli import preparing
    from mainspring.graph.check import inspect_file

    definition, found = inspect_file(file)
    findings = list(found)
    if definition is not None:
        findings += [replace(one, severity="warning") for one in preparing.not_run_yet(definition, file)]
        findings += preparing.not_enforced_yet(definition, file)
        findings += preparing.missing_findings(definition, file)
        findings.sort(key=lambda one: (one.line or 0, one.column or 0))
    return file, definition, findings


def _show(checked: list[Checked]) -> None:
    from mainspring.cli import faults, look
    from mainspring.cli.words import clean, count

    out, err = look.out(), look.err()
    for file, definition, findings in checked:
        faults.show_findings(err, findings)
        err.flush()
        told = faults.tally(findings)
        if definition is None:
            err.line(f"{err.symbol('failed')} {clean(file)}: {told}")
            err.flush()
            continue
        nodes, connections, entries = _counts(definition)
        parts = [count(nodes, "node"), count(connections, "connection"), count(entries, "entry point")]
        warned = f" ({told})" if told else ""
        ok = out.paint("ok", "green")
        out.line(f"{out.symbol('completed')} {clean(file)}: {ok}, {', '.join(parts)}{warned}")
        out.flush()


def _as_data(file: str, definition: Definition | None, findings: list[Finding]) -> dict[str, Any]:
    from mainspring.cli.faults import as_data

    told: dict[str, Any] = {"file": file, "valid": definition is not None}
    if definition is not None:
        nodes, connections, entries = _counts(definition)
        told.update(id=definition.workflow.id, nodes=nodes, connections=connections, entryPoints=entries)
    return {**told, "findings": [as_data(one) for one in findings]}


def _counts(definition: Definition) -> tuple[int, int, int]:
    from mainspring.graph.plan import Plan

    plan = Plan(definition.workflow)
    return len(plan.nodes), len(plan.connections), len(plan.roots)
