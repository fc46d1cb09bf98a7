"""`mainspring`: the commands by name, each loaded when it is called, and the one place where errors become lines.

Nothing but click is imported here: `mainspring --version` and `--help` must cost no more than a Python start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from mainspring import __version__
from mainspring.cli import exits
from mainspring.errors import DefinitionError, MainspringError

COMMANDS = {
    "init": "init",
    "run": "run",
    "validate": "validate",
    "explain": "explain",
    "check": "check",
    "graph": "graph",
    "list": "listing",
    "show": "show",
    "events": "events",
    "pause": "pause",
    "resume": "resume",
    "cancel": "cancel",
    "retry": "retry",
    "skip": "skip",
    "complete": "complete",
    "rerun": "rerun",
    "set": "setting",
    "migrate": "migrate",
    "compensate": "compensate",
    "signal": "signalling",
    "approve": "approve",
    "reject": "reject",
    "deadletters": "deadletters",
    "gc": "collecting",
    "breaker": "breaker",
    "nodes": "nodes",
    "import": "importing",
    "schema": "schema",
    "doctor": "doctor",
}
"""Each command's module in this folder; its `command` is the command."""

DEBUG = "MAINSPRING_DEBUG"
PIPE_CLOSED = 141


class PipeClosed(Exception):
    """Whoever read our output has gone. Not the BrokenPipeError itself: click would make a failure (1) of that."""


class Commands(click.Group):
    """The group that loads a command's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(f"mainspring.cli.{module}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosed from error

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """With what was perhaps meant, where there is no such command."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(name, COMMANDS, 1)
            if os.path.isfile(name):  # noqa: PTH113
                ctx.fail(f"no command {name!r}. To run that file: mainspring run {name}")
            ctx.fail(f"no command {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="mainspring %(version)s")
def group() -> None:
    """Run workflows that survive crashes.

    \b
    A first one:       mainspring init expenses
    Run it:            mainspring run expense.yaml
    What has been run: mainspring list
    One of them:       mainspring show last

    What is run is kept in .mainspring/store.db in the current folder, unless --store or MAINSPRING_STORE says otherwise.

    Exit codes: 0 completed, 1 failed, 2 usage or invalid definition, 3 partial success, 4 cancelled, 5 paused or waiting.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _called(args)
        sys.stdout.flush()
        return code
    except (BrokenPipeError, PipeClosed):
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _called(args: list[str]) -> int:
    try:
        code = group.main(args or ["--help"], prog_name="mainspring", standalone_mode=False)
    except click.ClickException as error:
        if _wants_json(args):
            _print_json(error.format_message(), "Usage")
        else:
            error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        return exits.WAITING
    except DefinitionError as error:
        _show_definition_error(error, _wants_json(args))
        return exits.USAGE
    except PipeClosed:
        raise
    except (MainspringError, OSError) as error:
        _show_error(error, _wants_json(args))
        return exits.USAGE
    except Exception as error:
        return _show_defect(error)
    return code if isinstance(code, int) else exits.COMPLETED


def _wants_json(args: list[str]) -> bool:
    return "--json" in args


def _show_error(error: Exception, as_json: bool) -> None:
    from mainspring.cli.look import err
    from mainspring.cli.words import clean

    if os.environ.get(DEBUG) == "1":
        raise error
    if as_json:
        _print_json(str(error), type(error).__name__)
        return
    screen = err()
    for number, line in enumerate(clean(str(error) or type(error).__name__).splitlines()):
        screen.line(f"{screen.paint('error:', 'red bold') if number == 0 else '      '} {line}")


def _show_definition_error(error: DefinitionError, as_json: bool) -> None:
    from mainspring.cli.faults import as_data, show_findings, tally
    from mainspring.cli.look import err

    if as_json:
        _print_json("the definition cannot run", "DefinitionError", findings=[as_data(one) for one in error.findings])
        return
    screen = err()
    show_findings(screen, error.findings)
    screen.line(f"{screen.paint('error:', 'red bold')} {tally(error.findings)}; nothing was run")


def _print_json(message: str, kind: str, **more: Any) -> None:
    import json

    print(json.dumps({"error": {"type": kind, "message": message}, "exitCode": exits.USAGE, **more}))


def _show_defect(error: Exception) -> int:
    from mainspring.cli.look import err

    if os.environ.get(DEBUG) == "1":
        raise error
    screen = err()
    screen.line(f"{screen.paint('defect:', 'red bold')} {type(error).__name__}: {error}")
    screen.line(
        "This is a defect of mainspring, not of your workflow. Please report it with what MAINSPRING_DEBUG=1 shows."
    )
    return exits.USAGE


if __name__ == "__main__":
    sys.exit(main())
