"""Writes docs/reference/errors.md from the codes and their examples: `python tools/error_reference.py [--check]`."""

from __future__ import annotations

import sys
from os.path import relpath
from pathlib import Path

from mainspring.cli.examples import EXAMPLES, Example
from mainspring.cli.explain import said, shortened
from mainspring.definition.findings import codes

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "reference" / "errors.md"

HEAD = """# Errors and warnings

All that `mainspring validate` can say, and `mainspring explain CODE` tells more about. Each finding has its file, line and
column, the line itself with a caret under the place, and often a hint. All are told at once: mend what you like first.
An error keeps a workflow from running, a warning does not.

```
$ mainspring validate order.yaml
order.yaml:6:30: error MS206: the connection's target is `shp`, which is no node
    6 |   - {source: charge, target: shp}
      |                              ^
      = did you mean `ship`?
✗ order.yaml: 1 error
```

At most findings_max (500) are listed for one file, and the first 100 of these are shown on a screen; `--json` has them all.

Codes stay what they are: a number that is no longer used is not used again. MS0xx: the file itself. MS1xx: keys and values.
MS2xx: nodes, connections and the graph. MS9xx: what this version or this machine cannot do.

This page is made from the code by `tools/error_reference.py`.
"""

FENCES = {"file": "yaml", "python": "python", "command": "sh"}


def rendered() -> str:
    """The whole page."""
    rows = [f"| [{code}](#{_anchor(code)}) | {codes[code].severity} | {codes[code].title} |" for code in sorted(codes)]
    table = "\n".join(["| code | severity | title |", "|---|---|---|", *rows])
    return HEAD + "\n" + table + "\n" + "".join(_section(code) for code in sorted(codes))


def _anchor(code: str) -> str:
    title = f"{code} {codes[code].title}".lower()
    return "".join(char for char in title.replace(" ", "-") if char.isalnum() or char in "-_")


def _section(code: str) -> str:
    example = EXAMPLES[code]
    parts = [f"\n## {code} {codes[code].title}\n", f"{codes[code].severity.capitalize()}. {codes[code].explanation}\n"]
    parts += [f"`{name}`:\n\n{_fence(text, _language(name))}" for name, text in example.files.items()]
    saved = f", saved as {example.encoding}" if example.encoding != "utf-8" else ""
    parts.append(f"Wrong{saved}:\n\n{_fence(example.bad, FENCES[example.kind])}")
    found = said(example, code)
    if found is not None:
        parts.append(_fence(f"{found.file}:{found.line}:{found.column}: {found.message}" + _hint(found.hint), ""))
    parts.append(f"Right{', saved as utf-8' if saved else ''}:\n\n{_fence(example.mended, FENCES[example.kind])}")
    parts.append(f"Read on: {_link(example)}\n")
    return "\n".join(parts)


def _hint(hint: str | None) -> str:
    return f"\n    = {hint}" if hint else ""


def _language(name: str) -> str:
    return "python" if name.endswith(".py") else "yaml"


def _fence(text: str, language: str) -> str:
    return "\n".join([f"```{language}", *shortened(text), "```", ""])


def _link(example: Example) -> str:
    path, _, anchor = example.read.partition("#")
    return f"[{Path(path).stem}]({relpath(ROOT / path, DOCUMENT.parent)}{'#' if anchor else ''}{anchor})"


def main() -> int:
    """Write the page, or with --check only say whether it is as it should be."""
    fresh = rendered()
    if "--check" in sys.argv:
        if not DOCUMENT.exists() or DOCUMENT.read_text("utf-8") != fresh:
            print("docs/reference/errors.md is not up to date: run python tools/error_reference.py")
            return 1
        return 0
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
