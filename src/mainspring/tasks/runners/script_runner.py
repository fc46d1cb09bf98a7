"""Runs one Python script with `state`. Needs nothing but the standard library: it is the first thing in a new process.

state.input       the node's input
state.variables   the instance's variables; what is changed is set when the script ends well
state.output      assign it: the node's output
state.progress(percent, text="")
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

_UNSET = object()


class State:
    def __init__(self) -> None:
        self.input = _read("MAINSPRING_INPUT")
        self.variables = _read("MAINSPRING_VARIABLES")
        self.output: Any = _UNSET

    def progress(self, percent: float, text: str = "") -> None:
        with open(os.environ["MAINSPRING_PROGRESS"], "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the start-up
            file.write(json.dumps({"percent": percent, "text": text}) + "\n")


def _read(name: str) -> Any:
    with open(os.environ[name], encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the start-up
        return json.load(file)


def _write(name: str, value: Any, title: str) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        sys.exit(f"state.{title} cannot be stored as JSON: {error}")
    with open(os.environ[name], "w", encoding="utf-8", errors="surrogatepass") as file:  # noqa: PTH123 - pathlib would double the start-up
        file.write(text)


def _save(state: State, variables_before: str) -> None:
    if state.output is not _UNSET:
        _write("MAINSPRING_OUTPUT", state.output, "output")
    if json.dumps(state.variables, default=repr) != variables_before:
        _write("MAINSPRING_VARIABLES", state.variables, "variables")


def _fail() -> None:
    """Print the traceback without this file's own frame; the last line on stderr is the error's message."""
    kind, error, trace = sys.exc_info()
    sys.stdout.flush()
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next.tb_next
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    sys.exit(1)


def _execute(path: str, state: State) -> None:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib would double the start-up
        source = file.read()
    exec(compile(source, path, "exec"), {"__name__": "__main__", "__file__": path, "state": state})


def main() -> None:
    path = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path.insert(0, os.environ["MAINSPRING_FOLDER"])
    state = State()
    variables_before = json.dumps(state.variables, default=repr)
    try:
        _execute(path, state)
    except SystemExit as end:
        if end.code in (None, 0):
            _save(state, variables_before)
        raise
    except BaseException:
        _fail()
    _save(state, variables_before)


if __name__ == "__main__":
    main()
