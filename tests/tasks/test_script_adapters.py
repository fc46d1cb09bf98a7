"""N2: the one adapter for all interpreters, with programs of ours in the places of PowerShell and dotnet-script.

Neither can be installed where these tests run. A stand-in is a real program on the PATH: it records how it was called,
speaks the file protocol as the documented helpers do, and ends as it is told.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts_kit import run

from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.messaging.task import TaskCall
from mainspring.tasks.exchange import ScriptFailed
from mainspring.tasks.fault import describe
from mainspring.tasks.interpreters import INTERPRETERS, InterpreterMissing
from mainspring.tasks.script import ScriptKind

NewCall = Callable[..., TaskCall]

STAND_IN = """#!{python}
import json, os, pathlib, re, sys
files = [a for a in sys.argv[1:] if os.path.isfile(a)]
loaded = re.findall('#load "(.*)"', pathlib.Path(files[-1]).read_text()) if files else []
record = dict(argv=sys.argv[1:], files=[pathlib.Path(f).read_text() for f in files], cwd=os.getcwd(), loaded=loaded,
              readable=all(os.access(name, os.R_OK) for name in loaded), env=dict(os.environ),
              stdin=sys.stdin.read(), leader=os.getpid() == os.getpgrp())
pathlib.Path(os.environ["RECORD"]).write_text(json.dumps(record))
if os.environ.get("FAIL"):
    print("  at line 3\\nRuntimeException: no such order", file=sys.stderr)
    sys.exit(4)
given = json.load(open(os.environ["MAINSPRING_INPUT"]))
with open(os.environ["MAINSPRING_PROGRESS"], "a") as progress:
    progress.write('{{"percent": 50, "text": "half way"}}\\n')
known = json.load(open(os.environ["MAINSPRING_VARIABLES"]))
json.dump({{**known, "seen": True}}, open(os.environ["MAINSPRING_VARIABLES"], "w"))
json.dump({{"got": given}}, open(os.environ["MAINSPRING_OUTPUT"], "w"))
"""


@pytest.fixture
def installed(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Puts a stand-in on a PATH, and gives the environment to run it with."""

    def install(program: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / program).write_text(STAND_IN.format(python=sys.executable))
        (folder / program).chmod(0o755)
        return {"PATH": f"{folder}:/usr/bin:/bin", "RECORD": str(tmp_path / "record.json")}

    return install


def recorded(env: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(env["RECORD"]).read_text())
    return found


@pytest.mark.parametrize("program", ["pwsh", "powershell"])
async def test_powershell(program: str, installed: Callable[[str], dict[str, str]], new_call: NewCall) -> None:
    env = installed(program)
    call = new_call({"rows": 3}, {"a": 1})
    code = "$state.output = @{ n = $state.input.rows }"
    assert await run(call, runtime="PowerShellScript", code=code, args=["-Fast", 2], env=env, memory="256MB") == {
        "got": {"rows": 3}
    }
    seen = recorded(env)
    *options, runner, script, first, second = seen["argv"]
    assert options == ["-NoProfile", "-NonInteractive", "-File"]
    assert runner.endswith("script_runner.ps1") and "$state = [pscustomobject]" in seen["files"][0]
    assert script.endswith(".ps1") and seen["files"][1] == code
    assert (first, second) == ("-Fast", "2")
    assert seen["env"]["DOTNET_GCHeapHardLimit"] == f"{256_000_000:x}"
    assert seen["stdin"] == "" and seen["leader"]
    assert call.variables_set == {"seen": True}
    assert list(call.report.__self__) == [(50.0, "half way")]  # type: ignore[attr-defined]


async def test_csharp_inline_and_from_a_file(
    installed: Callable[[str], dict[str, str]], new_call: NewCall, tmp_path: Path
) -> None:
    env = installed("dotnet-script")
    assert await run(new_call(1), runtime="C#", code="State.Output = 1;", args=["x"], env=env) == {"got": 1}
    seen = recorded(env)
    assert seen["argv"][0].endswith("script.csx") and seen["argv"][1:] == ["--", "x"]
    assert seen["loaded"][0].endswith("state.csx") and seen["readable"]
    assert seen["files"][0].split("\n")[1:] == ['#line 1 "script.csx"', "State.Output = 1;"]

    (tmp_path / "job.csx").write_text("State.Output = 2;")
    assert await run(new_call(2), tmp_path, path="job.csx", env=env) == {"got": 2}
    seen = recorded(env)
    assert len(seen["argv"]) == 1 and seen["loaded"][1] == str(tmp_path / "job.csx") and seen["readable"]
    assert seen["cwd"] == str(tmp_path)


async def test_dotnet_tools_need_not_be_on_the_path(
    installed: Callable[[str], dict[str, str]], new_call: NewCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dotnet tool install --global` puts programs where few PATHs lead."""
    env = installed("dotnet-script")
    tools = tmp_path / "home" / ".dotnet" / "tools"
    tools.mkdir(parents=True)
    (tmp_path / "bin" / "dotnet-script").rename(tools / "dotnet-script")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert await run(new_call(1), runtime="csharp", code="1", env=env) == {"got": 1}


async def test_the_exit_code_and_the_last_line_are_the_error(
    installed: Callable[[str], dict[str, str]], new_call: NewCall
) -> None:
    env = {**installed("pwsh"), "FAIL": "1"}
    with pytest.raises(ScriptFailed) as raised:
        await run(new_call(), runtime="powershell", code="1", env=env)
    fault = describe(raised.value)
    assert (fault.message, fault.code) == ("RuntimeException: no such order", 4)
    assert fault.stack == "  at line 3\nRuntimeException: no such order"


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ("powershell", "pwsh or powershell, .* install PowerShell 7"),
        ("csharp", "dotnet tool install --global dotnet-script"),
        ("node", "install Node.js 18"),
    ],
)
def test_a_missing_interpreter_says_what_to_install(
    runtime: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    node = Node(id="s", type="script", config={"runtime": runtime, "code": "1", "env": {"PATH": "/nowhere"}})
    with pytest.raises(InterpreterMissing, match=said) as raised:
        ScriptKind().prepare(node, ".")
    assert isinstance(raised.value, HandlerNotFound)


def test_every_runner_is_there() -> None:
    """What a command names of ours exists (and so is in the wheel, which has all of the package's files)."""
    for interpreter in INTERPRETERS.values():
        ours = [part for command in interpreter.commands for part in command if "runners" in part]
        for file in filter(None, (*ours, interpreter.prelude)):
            assert Path(file).is_file()
