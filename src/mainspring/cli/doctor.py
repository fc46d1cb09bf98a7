"""`mainspring doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.cli.checkup import Check

SYMBOLS = {"ok": "completed", "absent": "skipped", "warning": "partial_success", "problem": "failed"}
TITLES = {"installed": "Installed", "scripts": "For scripts", "machine": "This machine", "store": "The store"}


@click.command("doctor", short_help="Whether all is well here: what is installed, the disk, the store.")
@click.option("--store", metavar="URL", help=f"Which store. [default: {places.DEFAULT_STORE}]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, with each line of it.")
def command(store: str | None, as_json: bool) -> int:
    """Whether all is well here: what is installed, what runs scripts, the clock, the disk, the store.

    Only looks: the store is not made, not migrated and not taken, so this works while an engine runs on it. Ends with 1
    where something is a problem; warnings and what is not installed do not count.

    \b
    mainspring doctor
    mainspring doctor --store sqlite:///orders.db --json
    """
    from mainspring.cli import checkup, checkup_store

    url = places.store_url(store)
    checks = [*checkup.environment(), *checkup_store.store(url)]
    code = exits.FAILED if any(check.level == "problem" for check in checks) else exits.COMPLETED
    if as_json:
        import json
        from dataclasses import asdict

        told = {
            "ok": code == exits.COMPLETED,
            "store": url,
            "exitCode": code,
            "checks": [asdict(one) for one in checks],
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show(checks)
    return code


def _show(checks: list[Check]) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import count

    screen = look.out()
    width = max(look.cells(check.name) for check in checks)
    group = ""
    for check in checks:
        if check.group != group:
            screen.line(("\n" if group else "") + screen.paint(TITLES[check.group], "bold"))
            group = check.group
        symbol = screen.symbol(SYMBOLS[check.level])
        style = "dim" if check.level == "absent" else ""
        screen.hanging(f"  {symbol} {look.pad(check.name, width)}  ", check.text, width + 6, style)
        if check.hint:
            screen.hanging(" " * (width + 6) + "= ", check.hint, width + 8, "dim")
    screen.line()
    problems = sum(check.level == "problem" for check in checks)
    warnings = sum(check.level == "warning" for check in checks)
    told = ", ".join(count(number, word) for number, word in ((problems, "problem"), (warnings, "warning")) if number)
    status = "failed" if problems else "partial_success" if warnings else "completed"
    screen.line(f"{screen.symbol(status)} {told or 'all is well'}")
