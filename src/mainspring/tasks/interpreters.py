"""Which program runs a script, and how it is told its limits."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from msgspec import Struct

from mainspring.errors import HandlerNotFound


class Interpreter(Struct, frozen=True):
    """Commands to try, the first whose program is there; `own_memory_limit` where address space says nothing."""

    suffix: str
    commands: tuple[tuple[str, ...], ...]
    own_memory_limit: str = ""


_RUNNER = str(Path(__file__).with_name("script_runner.py"))
_POWERSHELL = ("-NoProfile", "-NonInteractive", "-File")

# V8 and .NET reserve far more address space than they use: they are told their limit in their own words.
INTERPRETERS = {
    "python": Interpreter(".py", ((sys.executable, "-P", _RUNNER),)),
    "bash": Interpreter(".sh", (("bash",),)),
    "sh": Interpreter(".sh", (("sh",),)),
    "node": Interpreter(".mjs", (("node",),), "node"),
    "powershell": Interpreter(".ps1", (("pwsh", *_POWERSHELL), ("powershell", *_POWERSHELL)), "dotnet"),
    "csharp": Interpreter(".csx", (("dotnet-script",), ("dotnet", "script")), "dotnet"),
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
    """The command of a runtime, its program's full path first. Raises HandlerNotFound where none is installed."""
    interpreter = INTERPRETERS[runtime]
    for command in interpreter.commands:
        program = shutil.which(command[0], path=path)
        if program:
            return (program, *command[1:])
    names = " or ".join(dict.fromkeys(command[0] for command in interpreter.commands))
    raise HandlerNotFound(f"a {runtime} script needs {names}, which is not on this machine's PATH: install it")


def limited(
    runtime: str, command: tuple[str, ...], memory: int | None, cpu_seconds: int | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """A command under limits, and what its environment needs for them.

    The limits are set by a shell that then becomes the program: same process, and nothing runs between fork and exec.
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
    if not steps:
        return command, environment
    script = " && ".join([*steps, 'exec "$@"'])
    return ("/bin/sh", "-c", script, "sh", *command), environment
