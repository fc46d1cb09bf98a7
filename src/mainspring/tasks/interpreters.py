"""Which program runs a script, how it is told its limits, and what to install where it is missing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from msgspec import Struct

from mainspring.errors import HandlerNotFound
from mainspring.tasks.lifeline import guarded

_RUNNERS = Path(__file__).with_name("runners")


class InterpreterMissing(HandlerNotFound):
    """The program that runs a script is not on this machine."""


class Interpreter(Struct, frozen=True):
    """Commands to try, the first whose program is there; `prelude` is loaded before the script where no runner does that.

    `own_memory_limit` names the program's own way where address space says nothing. `elsewhere` are places to look in
    besides the PATH.
    """

    suffix: str
    commands: tuple[tuple[str, ...], ...]
    install: str
    own_memory_limit: str = ""
    prelude: str = ""
    elsewhere: tuple[str, ...] = ()
    before_arguments: tuple[str, ...] = ()


def _runner(name: str) -> str:
    return str(_RUNNERS / name)


_POWERSHELL = ("-NoProfile", "-NonInteractive", "-File", _runner("script_runner.ps1"))

# V8 and .NET reserve far more address space than they use: they are told their limit in their own words.
INTERPRETERS = {
    "python": Interpreter(".py", ((sys.executable, "-P", _runner("script_runner.py")),), "Python 3.11 or later"),
    "bash": Interpreter(".sh", (("bash",),), "the package bash"),
    "sh": Interpreter(".sh", (("sh",),), "a POSIX shell"),
    "node": Interpreter(
        ".mjs", (("node", _runner("script_runner.mjs")),), "Node.js 18 or later (the package nodejs)", "node"
    ),
    "powershell": Interpreter(
        ".ps1",
        (("pwsh", *_POWERSHELL), ("powershell", *_POWERSHELL)),
        "PowerShell 7 (the package powershell; its program is called pwsh)",
        "dotnet",
    ),
    "csharp": Interpreter(
        ".csx",
        (("dotnet-script",),),
        "the .NET SDK, and with it: dotnet tool install --global dotnet-script",
        "dotnet",
        prelude=_runner("state.csx"),
        elsewhere=("~/.dotnet/tools",),
        before_arguments=("--",),
    ),
}
_SPELLINGS = {
    "python": ("py", "python3"),
    "bash": ("shell",),
    "node": ("nodejs", "javascript", "js", "mjs", "cjs"),
    "powershell": ("pwsh", "ps1"),
    "csharp": ("c#", "cs", "csx"),
}
_ALIASES = {spelling: runtime for runtime, spellings in _SPELLINGS.items() for spelling in spellings}


def runtime_of(name: str) -> str | None:
    """The runtime that a name (`Bash`, `PythonScript`, `node.js`) or a file's suffix means."""
    plain = name.lower().replace(".", "").removesuffix("script") or name.lower()
    whole = name.lower().replace(".", "")
    for each in (whole, plain, _ALIASES.get(whole, ""), _ALIASES.get(plain, "")):
        if each in INTERPRETERS:
            return each
    return None


def command_for(runtime: str, path: str | None) -> tuple[str, ...]:
    """The command of a runtime, its program's full path first. Raises InterpreterMissing where none is installed."""
    interpreter = INTERPRETERS[runtime]
    for command in interpreter.commands:
        program = shutil.which(command[0], path=path)
        for folder in interpreter.elsewhere:
            program = program or shutil.which(command[0], path=str(Path(folder).expanduser()))
        if program:
            return (program, *command[1:])
    names = " or ".join(dict.fromkeys(command[0] for command in interpreter.commands))
    raise InterpreterMissing(
        f"a {runtime} script needs {names}, which is not on this machine's PATH: install {interpreter.install}"
    )


def limited(
    runtime: str, command: tuple[str, ...], memory: int | None, cpu_seconds: int | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """A command under limits, and what its environment needs for them.

    The limits are set by the shell that then becomes the program: same process, and nothing runs between fork and exec.
    """
    own = INTERPRETERS[runtime].own_memory_limit
    environment: dict[str, str] = {}
    steps = []
    if memory and own == "node":
        command = (command[0], f"--max-old-space-size={max(memory >> 20, 1)}", *command[1:])
    elif memory and own == "dotnet":
        environment["DOTNET_GCHeapHardLimit"] = f"{memory:x}"
    elif memory:
        steps.append(f"ulimit -v {max(memory >> 10, 1)}")
    if cpu_seconds:
        # First the signal that says why (SIGXCPU); the hard limit kills what ignores it.
        steps.append(f"ulimit -S -t {cpu_seconds} && ulimit -H -t {cpu_seconds + 2}")
    return guarded(command, steps), environment
