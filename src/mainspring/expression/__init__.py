"""Expressions: conditions and `${ ... }` values. Compiled once, bounded, with no way out (SEMANTICS G)."""

from mainspring.expression.compiled import Expression, compile_expression
from mainspring.expression.steps import sharing
from mainspring.expression.template import Template, compile_template, template_parts
from mainspring.expression.tokens import expression_length_max
from mainspring.expression.values import truthy

__all__ = [
    "Expression",
    "Template",
    "compile_expression",
    "compile_template",
    "expression_length_max",
    "sharing",
    "template_parts",
    "truthy",
]
