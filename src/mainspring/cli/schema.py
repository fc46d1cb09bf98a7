"""`mainspring schema`."""

from __future__ import annotations

from pathlib import Path

import click

from mainspring.cli import exits


@click.command("schema", short_help="The JSON Schema of definition files, for editors.")
@click.option(
    "--kind",
    type=click.Choice(["workflow", "resilience"]),
    default="workflow",
    show_default=True,
    help="Of workflows, or of resilience files.",
)
@click.option("--output", "-o", "output", metavar="FILE", help="Write it there instead of to stdout.")
def command(kind: str, output: str | None) -> int:
    """The JSON Schema (draft 2020-12) of definition files, for editors.

    \b
    mainspring schema -o workflow.schema.json

    Then the first line of a YAML file tells the editor:

    \b
    # yaml-language-server: $schema=workflow.schema.json
    """
    import json

    from mainspring.definition import schema

    made = schema.workflow_schema() if kind == "workflow" else schema.resilience_schema()
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    if output is None or output == "-":
        click.echo(text, nl=False)
        return exits.COMPLETED
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {output}: {error.strerror or error}", param_hint="-o") from None
    return exits.COMPLETED
