"""Layered drawings of directed graphs: layers, few crossings, places, routes. Pure, iterative, bounded."""

from __future__ import annotations

from mainspring.graph.layout.drawing import Direction, Drawing, Route, draw
from mainspring.graph.layout.given import draw_at
from mainspring.graph.layout.layers import Wire

__all__ = ["Direction", "Drawing", "Route", "Wire", "draw", "draw_at"]
