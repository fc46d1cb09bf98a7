"""Everything that CI checks, under one command: `python3 tools/check.py [STEP ...]`.

Needs only Python 3.11: it makes `.venv` in this folder with what the checks need, then runs the steps (by default all):
format, lint, types, imports, docs, errors, definition, commands, tests, apart, timed, coverage. It goes on after a step
that fails, and ends with 1 if one did. Coverage is measured in `tests` alone: its tracing makes the long tests (`apart`) two
to four times as long, and changes what those find that measure time or memory (`timed`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed-for"

STEPS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "lint": ["ruff", "check", "--quiet", "."],
    "types": ["mypy"],
    "imports": ["lint-imports", "--no-logo"],
    "docs": ["python", "tools/semantics_tables.py", "--check"],
    "errors": ["python", "tools/error_reference.py", "--check"],
    "definition": ["python", "tools/definition_reference.py", "--check"],
    "commands": ["python", "tools/cli_reference.py", "--check"],
    "tests": ["python", "-m", "pytest", "-n", "3", "-m", "not timed and not apart", "--cov", "--cov-report="],
    "apart": ["python", "-m", "pytest", "-n", "3", "--dist", "loadgroup", "-m", "apart and not timed"],
    "timed": ["python", "-m", "pytest", "-m", "timed"],
    "coverage": ["python", "tools/coverage_gate.py"],
}


def prepare() -> None:
    """Have a virtual environment with mainspring and the tools in it; nothing to do where it is up to date."""
    wanted = (ROOT / "pyproject.toml").read_text("utf-8")
    if STAMP.is_file() and STAMP.read_text("utf-8") == wanted:
        return
    print("· preparing .venv", flush=True)
    if not (BIN / "python").exists():
        venv.create(VENV, with_pip=True)
    install = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[dev]"]
    subprocess.run(install, cwd=ROOT, check=True)
    STAMP.write_text(wanted, "utf-8")


def run(name: str) -> bool:
    """Run one step; True where it passed. What a failed step printed is shown, and the tests' output as it comes."""
    program, *arguments = STEPS[name]
    command = [str(BIN / program), *arguments]
    live = name in ("tests", "apart", "timed", "coverage")
    began = time.monotonic()
    print(f"· {name}", flush=True)
    # Where Python may keep no bytecode all modules are compiled again in each process: 7,000 tests
    # are collected in 28 s instead of 6.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=None if live else subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**kept, "MAINSPRING_REPEATABLE": "1"},  # see tests/conftest.py
    )
    verdict = "passed" if done.returncode == 0 else "FAILED"
    if done.returncode and not live:
        print(done.stdout)
    print(f"  {verdict} in {time.monotonic() - began:.1f} s", flush=True)
    return done.returncode == 0


def main() -> int:
    """Run the steps that were asked for."""
    names = sys.argv[1:] or list(STEPS)
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(STEPS)}")
        return 2
    prepare()
    failed = [name for name in names if not run(name)]
    print(f"failed: {', '.join(failed)}" if failed else f"all {len(names)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
