"""Where the function of a custom kind of node carries what was declared of it."""

from __future__ import annotations

ATTRIBUTE = "__mainspring_node_kind__"
