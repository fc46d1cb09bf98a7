"""How the picture looks, by day and by night. Plain rules without variables: more programs understand them."""

from __future__ import annotations

_RULES = """
{s} text{{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;fill:{ink}}}
{s} .paper{{fill:{paper}}}
{s} .box{{fill:{card};stroke:{line};stroke-width:1.2}}
{s} .id{{font-size:13px;font-weight:600}}
{s} .kind{{font-size:11px;fill:{faint}}}
{s} .edge{{fill:none;stroke:{edge};stroke-width:1.5}}
{s} .tip{{fill:{edge}}}
{s} .fail{{stroke:{fail};stroke-dasharray:6 4}}
{s} .fail-tip{{fill:{fail}}}
{s} .help{{stroke:{edge};stroke-dasharray:1.5 4;stroke-linecap:round}}
{s} .back{{stroke:{bad};stroke-width:2}}
{s} .back-tip{{fill:{bad}}}
{s} .tag{{fill:{tag};stroke:{tagline};stroke-width:1}}
{s} .said{{font-size:11px;fill:{faint}}}
{s} .said-fail{{fill:{fail}}}
{s} .off .box{{stroke-dasharray:3 3}}
{s} .cycle .box{{stroke:{bad};stroke-width:2}}
{s} .work .bar{{fill:{work}}}
{s} .world .bar{{fill:{world}}}
{s} .choice .bar{{fill:{choice}}}
{s} .body .bar{{fill:{body}}}
{s} .wait .bar{{fill:{wait}}}
{s} .begin .bar{{fill:{begin}}}
{s} .end .bar{{fill:{end}}}
"""

_DAY = {
    "ink": "#1f2937", "faint": "#6b7280", "paper": "#ffffff", "card": "#f9fafb", "line": "#d1d5db", "edge": "#9ca3af",
    "fail": "#c2410c", "bad": "#dc2626", "tag": "#ffffff", "tagline": "#e5e7eb", "work": "#3b82f6",
    "world": "#0d9488", "choice": "#8b5cf6", "body": "#6366f1", "wait": "#f59e0b", "begin": "#22c55e", "end": "#64748b",
}  # fmt: skip
_NIGHT = {
    "ink": "#e6edf3", "faint": "#9aa4b2", "paper": "#0d1117", "card": "#161b22", "line": "#3d444d", "edge": "#7d8590",
    "fail": "#f4894f", "bad": "#f87171", "tag": "#0d1117", "tagline": "#3d444d", "work": "#4c8dff",
    "world": "#2dd4bf", "choice": "#a78bfa", "body": "#818cf8", "wait": "#fbbf24", "begin": "#4ade80", "end": "#94a3b8",
}  # fmt: skip


def sheet(scope: str) -> str:
    """The style sheet for what has this class: a picture that stands in a page changes nothing else there."""
    day = _RULES.format(s=f".{scope}", **_DAY).strip()
    night = _RULES.format(s=f".{scope}", **_NIGHT).strip()
    return f"{day}\n@media (prefers-color-scheme:dark){{\n{night}\n}}"
