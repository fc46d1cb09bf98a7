"""A workflow as it is saved: checked first, its callables as references, in the canonical form."""

from __future__ import annotations

from pathlib import Path

from mainspring.definition import canonical, python_source
from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.errors import DefinitionError
from mainspring.graph.check import check_workflow
from mainspring.tasks.pinning import pinned


def save(workflow: Definition | Workflow, path: str | Path) -> None:
    """Write a workflow to a file; by its name it is JSON, Python, or else YAML. A file that is there is replaced.

    Raises DefinitionError where it could not run, HandlerNotFound where no reference leads to a handler.
    """
    file = Path(path)
    forms = {".json": to_json, ".py": to_python}
    text = forms.get(file.suffix.lower(), to_yaml)(workflow)
    # Beside it, then in its place: whatever happens, there is a whole file.
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def to_yaml(workflow: Definition | Workflow) -> str:
    """The workflow as YAML, as people write it. Raises DefinitionError, HandlerNotFound."""
    return canonical.to_yaml(_saveable(workflow))


def to_json(workflow: Definition | Workflow) -> str:
    """The workflow as JSON. Raises DefinitionError, HandlerNotFound."""
    return canonical.to_json(_saveable(workflow))


def to_python(workflow: Definition | Workflow) -> str:
    """The workflow as the Python program that makes it. Raises DefinitionError, HandlerNotFound."""
    return python_source.to_python(_saveable(workflow))


def _saveable(workflow: Definition | Workflow) -> Workflow:
    plain = pinned(workflow.workflow if isinstance(workflow, Definition) else workflow)
    errors = [one for one in check_workflow(plain) if one.severity == "error"]
    if errors:
        raise DefinitionError(errors)
    return plain
