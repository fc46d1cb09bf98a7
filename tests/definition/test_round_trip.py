"""D1: load, save and convert lose nothing: YAML, JSON, Python and the canonical bytes lead to each other."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from msgspec.structs import fields

import mainspring as ms
from mainspring.definition import canonical, model
from mainspring.definition.bodies import bodies
from mainspring.graph.check import check_workflow
from tests.definition.test_schema import CHECKERS, tree_of
from tests.definition.workflows_made import workflows

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for folder in (ROOT / "tests/definition/files", ROOT / "examples", ROOT.parent / "shared/fixtures")
    for path in folder.glob("**/*")
    if path.suffix in (".yaml", ".json") and "kind: Workflow" not in path.read_text("utf-8")
)


def run_python(source: str) -> ms.Workflow:
    names: dict[str, Any] = {}
    exec(compile(source, "<made>", "exec"), names)
    made = names["workflow"]
    assert isinstance(made, ms.Workflow)
    return made


def all_ways(workflow: model.Workflow) -> None:
    data = canonical.encode(workflow)
    assert canonical.decode(data) == workflow
    for loaded in (
        ms.loads(ms.to_yaml(workflow)),
        ms.loads(ms.to_json(workflow), format="json"),
        run_python(ms.to_python(workflow)),
    ):
        assert loaded.workflow == workflow
        assert canonical.encode(loaded.workflow) == data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_goes_all_ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(path.parent)
    for plugin in path.parent.glob("acme_*.py"):
        import_module(plugin.stem)
    all_ways(ms.load(path).workflow)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(workflows())
def test_every_workflow_goes_all_ways(workflow: model.Workflow) -> None:
    assert [one.text() for one in check_workflow(workflow) if one.severity == "error"] == []
    workflow = canonical.decode(canonical.encode(workflow))
    all_ways(workflow)
    assert CHECKERS["workflow"].is_valid(tree_of(ms.to_yaml(workflow)))


def test_the_workflows_that_are_made_use_every_attribute() -> None:
    seen: set[str] = set()

    def look(part: Any) -> None:
        if isinstance(part, msgspec.Struct):
            for field in fields(part):
                value = getattr(part, field.name)
                if value is not None and value != field.default and value not in ({}, ()):
                    seen.add(f"{type(part).__name__}.{field.name}")
                look(value)
            for _, inner in bodies(part) if isinstance(part, model.Node) else ():
                look(inner)
        elif isinstance(part, tuple):
            for item in part:
                look(item)
        elif isinstance(part, dict):
            for item in part.values():
                look(item)

    structs = [value for value in vars(model).values() if isinstance(value, type) and issubclass(value, model.Part)]
    everything = {f"{struct.__name__}.{field.name}" for struct in structs for field in fields(struct)}
    # What only joins of more than one connection may say is among the joins' own tests.
    everything -= {"Join.kind", "Join.n", "Join.cancel_others", "Join.capacity", "Connection.target_port"}

    def all_seen(workflow: model.Workflow) -> bool:
        look(workflow)
        return everything <= seen

    unshrunk = settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck),
                        phases=[Phase.generate], derandomize=True)  # fmt: skip
    try:
        find(workflows(), all_seen, settings=unshrunk)
    except NoSuchExample:
        raise AssertionError(f"never made: {sorted(everything - seen)}") from None


def test_what_could_not_run_is_not_saved(tmp_path: Path) -> None:
    """D7: validation before save."""
    broken = model.Workflow(id="w", nodes=(model.Node(id="a", type="log", depends_on=("b",)),))
    path = tmp_path / "w.yaml"
    path.write_text("before")
    with pytest.raises(ms.DefinitionError, match="MS207"):
        ms.save(broken, path)
    lost = ms.Workflow("w", nodes=[ms.Node("a", lambda: None)])
    with pytest.raises(ms.HandlerNotFound, match="cannot be stored"):
        ms.save(lost, path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def work() -> None: ...


@pytest.mark.parametrize("name", ["w.yaml", "w.yml", "w.json", "w.py"])
def test_save_and_load(tmp_path: Path, name: str) -> None:
    made = ms.Workflow("w", nodes=[ms.Node("a", work, timeout="1m")])
    ms.save(made, tmp_path / name)
    text = (tmp_path / name).read_text("utf-8")
    assert f"{__name__}:work" in text and [path.name for path in tmp_path.iterdir()] == [name]
    again = run_python(text) if name == "w.py" else ms.load(tmp_path / name)
    assert again.workflow.nodes[0] == model.Node(
        id="a", type="function", config={"handler": f"{__name__}:work"}, timeout=60_000
    )


JOINS = st.builds(
    model.Join,
    kind=st.sampled_from(["all", "any", "n", "each", "ports"]),
    cancel_others=st.booleans(),
    capacity=st.none() | st.integers(1, 9),
)
COUNTED = st.builds(model.Join, kind=st.just("n"), n=st.integers(1, 2), cancel_others=st.booleans())


@given(JOINS | COUNTED)
def test_every_join_comes_back(join: model.Join) -> None:
    from mainspring.definition.load import read_text

    nodes = tuple(model.Node(id=id, type="log") for id in "ab")
    last = model.Node(id="c", type="log", join=join)
    ports = tuple(model.Connection(source=id, target="c", target_port=id) for id in "ab")
    workflow = model.Workflow(id="w", nodes=(*nodes, last), connections=ports)
    for text, form in ((canonical.to_yaml(workflow), "yaml"), (canonical.to_json(workflow), "json")):
        assert read_text(text, form=form).workflow == workflow  # type: ignore[arg-type]
