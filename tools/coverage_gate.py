"""Hold the coverage of the last run of the tests: 90 % of all branches, and all of the rules that everything rests on (T1).

`python tools/coverage_gate.py` reads `.coverage`, which `pytest --cov` leaves behind, and ends with 1 where it is not held.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import coverage

BRANCHES_MIN = 90.0
WHOLE = ("machine/", "queue/", "limits/", "graph/joining.py", "graph/regions.py")
"""What must be covered without a gap: the machine, the queue, and what the rules of joins need to know of the graph."""


def measured() -> dict[str, Any]:
    """What coverage has to say of each file, and in all."""
    cov = coverage.Coverage()
    cov.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        cov.json_report(outfile=str(path))
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found


def gaps(files: dict[str, Any]) -> list[str]:
    """The places in the whole parts that no test went through."""
    found = []
    for name, file in sorted(files.items()):
        within = name.replace("\\", "/").partition("mainspring/")[2]
        if within.startswith(WHOLE):
            lines = [str(line) for line in file["missing_lines"]]
            branches = [f"{start}->{end}" for start, end in file["missing_branches"]]
            if lines or branches:
                found.append(f"{name}: {', '.join(lines + branches)}")
    return found


def main() -> int:
    """Say what is held."""
    report = measured()
    totals = report["totals"]
    share = 100 * totals["covered_branches"] / totals["num_branches"]
    lines = 100 * totals["covered_lines"] / totals["num_statements"]
    print(f"branches {share:.1f} % (at least {BRANCHES_MIN:g}), lines {lines:.1f} %")
    missing = gaps(report["files"])
    for gap in missing:
        print(f"not covered: {gap}")
    if not any(name.replace("\\", "/").partition("mainspring/")[2].startswith(WHOLE[0]) for name in report["files"]):
        print("the machine was not measured at all")
        return 1
    return 1 if missing or share < BRANCHES_MIN else 0


if __name__ == "__main__":
    sys.exit(main())
