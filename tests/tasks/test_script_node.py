"""N2: Node.js scripts, which have the same `state` as Python scripts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts_kit import run

from mainspring.messaging.task import TaskCall
from mainspring.tasks.exchange import OutputTooLarge, ScriptFailed
from mainspring.tasks.fault import describe

NewCall = Callable[..., TaskCall]
pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="no Node.js here")


async def test_state_has_input_variables_output_and_progress(new_call: NewCall) -> None:
    call = new_call({"rows": 3}, {"a": 1.0, "kept": True, "list": [1]})
    code = """
        state.progress(50, "half way");
        state.variables.fresh = null;
        state.variables.list.push(2);
        console.log("noise");
        state.output = {n: state.input.rows - 1, args: process.argv.slice(2)};
    """
    assert await run(call, runtime="Node.js", code=code, args=["x", 1]) == {"n": 2, "args": ["x", "1"]}
    assert call.variables_set == {"fresh": None, "list": [1, 2]}  # and not the 1.0 that JavaScript would write as 1
    assert list(call.report.__self__) == [(50.0, "half way")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("state.output = await Promise.resolve(5)", 5),
        ("setTimeout(() => { state.output = 'later' }, 5)", "later"),
        ("state.output = 'early'; process.exit(0)", "early"),
        ("state.output = null", None),
        ("console.log(JSON.stringify([1]))", [1]),
        ("import fs from 'node:fs'; state.output = fs.existsSync('/')", True),
        ("import fs from 'fs'; fs.writeFileSync(process.env.MAINSPRING_OUTPUT, '{\"ok\": true}')", {"ok": True}),
        ("", None),
    ],
)
async def test_ends_and_outputs(code: str, output: object, new_call: NewCall) -> None:
    assert await run(new_call(), runtime="node", code=code or "// nothing") == output


@pytest.mark.parametrize(
    ("code", "message", "stack"),
    [
        ("function f() {\n  throw new TypeError('no such order')\n}\nf()", "TypeError: no such order", ".mjs:2:"),
        ("const a = 1\nconst x = ;", "SyntaxError: Unexpected token ';'", "script.mjs:2"),
        ("setTimeout(() => { throw new Error('late') }, 5)", "Error: late", ".mjs:1:"),
        ("Promise.reject(new Error('nobody waits'))", "Error: nobody waits", ".mjs:1:"),
        ("throw {code: 7}", "thrown: { code: 7 }", ""),
        ("state.output = {x: NaN}", "state.output cannot be stored as JSON: `x` is NaN", ""),
        ("state.variables.v = 1n", "state.variables cannot be stored as JSON", "BigInt"),
        ("state.output = {f() {}}", "state.output cannot be stored as JSON: `f` is a function", ""),
        ("import 'nowhere-to-be-found'", "Error: Cannot find package 'nowhere-to-be-found'", ""),
        ("process.exit(3)", "the script ended with exit code 3", ""),
    ],
)
async def test_failures_say_what_and_where(code: str, message: str, stack: str, new_call: NewCall) -> None:
    with pytest.raises(ScriptFailed) as raised:
        await run(new_call(), runtime="node", code=code)
    fault = describe(raised.value)
    assert fault.message.startswith(message)
    assert fault.code == (3 if "exit" in code else 1)
    assert stack in (fault.stack or "") and "script_runner" not in (fault.stack or "")


async def test_a_file_imports_its_neighbours_and_inline_code_requires_them(new_call: NewCall, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "prices.cjs").write_text("exports.price = 4")
    (tmp_path / "jobs" / "sum.mjs").write_text(
        "import { price } from './prices.cjs'\nstate.output = price * state.input.count"
    )
    (tmp_path / "jobs" / "old.cjs").write_text("state.output = require('./prices.cjs').price")
    assert await run(new_call({"count": 2}), tmp_path, path="jobs/sum.mjs") == 8
    assert await run(new_call(), tmp_path, path="jobs/old.cjs") == 4
    assert (
        await run(new_call(), tmp_path, runtime="node", code="state.output = require('./jobs/prices.cjs').price") == 4
    )


async def test_limits(new_call: NewCall) -> None:
    with pytest.raises(ScriptFailed, match="its memory was used up"):
        code = "const kept = []; for (;;) kept.push(new Array(1e5).fill(1))"
        await run(new_call(), runtime="node", code=code, memory="64MB")
    with pytest.raises(OutputTooLarge, match="output_limit"):
        await run(new_call(), runtime="node", code="state.output = 'x'.repeat(20000)", outputLimit=10_000)
    with pytest.raises(ScriptFailed, match="CPU time"):
        await run(new_call(), runtime="node", code="for (;;);", cpuSeconds=1)
