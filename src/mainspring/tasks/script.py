"""Nodes of type "script": a file or a text, run by its interpreter in a process group of its own."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from msgspec import Struct

from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.messaging.task import PreparedTask, TaskCall
from mainspring.tasks import config
from mainspring.tasks.child import Child
from mainspring.tasks.exchange import Exchange, OutputTooLarge, ScriptFailed, host_environment
from mainspring.tasks.fault import tail
from mainspring.tasks.interpreters import INTERPRETERS, command_for, limited, runtime_of

OUTPUT_BYTES_MAX = 16 * 1024 * 1024
SCRIPT_KEYS = (
    *("runtime", "path", "code", "args", "env"),
    *("memory", "outputLimit", "output_limit", "cpuSeconds", "cpu_seconds"),
)


class ScriptKind:
    """Config: `runtime`, `path` or `code`, `args`, `env`, and the limits `memory`, `output_limit`, `cpu_seconds`.

    A script runs in the folder of its definition. What it leaves running in its group when it ends is killed.
    """

    def close(self) -> None:
        """Nothing to let go: a script's process ends with its attempt."""

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        path, code = config.text(node, "path"), config.text(node, "code")
        if (path is None) == (code is None):
            raise config.reject(node, "a script has either `path` or `code`")
        runtime = _runtime(node, path)
        home = str(Path(folder).resolve())
        file = Path(home, path) if path else None
        if file is not None and not file.is_file():
            raise HandlerNotFound(f"node `{node.id}`: there is no script {file}")
        given, args = config.mapping(node, "env"), config.texts(node, "args")
        environment = {**host_environment(), **given, "MAINSPRING_FOLDER": str(file.parent) if file else home}
        command, extra = limited(
            runtime,
            command_for(runtime, environment.get("PATH")),
            config.size(node, "memory"),
            config.number(node, "cpu_seconds", node.config.get("cpuSeconds")),
        )
        return _Script(
            command=command,
            args=(*INTERPRETERS[runtime].before_arguments, *args) if args else (),
            environment={**environment, **extra},
            folder=home,
            file=str(file) if file else None,
            code=code or "",
            suffix=INTERPRETERS[runtime].suffix,
            prelude=INTERPRETERS[runtime].prelude,
            output_max=config.size(node, "output_limit", node.config.get("outputLimit", OUTPUT_BYTES_MAX)) or 1,
        )


class _Script(Struct, frozen=True):
    command: tuple[str, ...]
    args: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    file: str | None
    code: str
    suffix: str
    prelude: str
    output_max: int

    async def invoke(self, call: TaskCall) -> Any:
        exchange = Exchange(call)
        try:
            file = exchange.script(self.file, self.code, self.suffix, self.prelude)
            child = Child(self.output_max)
            environment = {**self.environment, **exchange.environment()}
            command = (*self.command, file, *self.args)
            exit_code = await child.run(command, self.folder, environment, exchange.report_progress)
            exchange.finish_progress()
            if child.over:
                limit = f"{self.output_max} bytes (output_limit)"
                raise OutputTooLarge(f"the script wrote more than {limit} to {child.over}, and was killed")
            if exit_code != 0:
                raise _failure(exit_code, child.streams[2].decode("utf-8", "replace"))
            output = exchange.output(bytes(child.streams[1]), self.output_max)
            call.variables_set = exchange.variables_set(self.output_max)
            return output
        finally:
            exchange.close()


def _runtime(node: Node, path: str | None) -> str:
    name = config.text(node, "runtime")
    runtime = runtime_of(name or Path(path or "").suffix.lstrip("."))
    if runtime is None:
        known = ", ".join(INTERPRETERS)
        raise config.reject(node, f"unknown runtime {name!r}: there is {known}", "runtime")
    return runtime


def _failure(exit_code: int, stderr: str) -> ScriptFailed:
    """The exit code and the last line of stderr are the error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    stack = tail(stderr.rstrip().strip("\n")) or None
    if exit_code > 0:
        return ScriptFailed(last or f"the script ended with exit code {exit_code}", code=exit_code, stack=stack)
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGABRT" and "heap out of memory" in stderr:
        return ScriptFailed("killed by SIGABRT (its memory was used up)", code=name, stack=stack)
    why = " (its CPU time was used up)" if name == "SIGXCPU" else ""
    return ScriptFailed(f"killed by {name}{why}" + (f": {last}" if last else ""), code=name, stack=stack)
