"""N8: kinds of node that installed distributions offer by entry points: loaded late, and harmless where they are broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tasks.kinds_kit import own_kinds

import mainspring as ms
from mainspring.errors import HandlerNotFound
from mainspring.graph import custom_kinds
from mainspring.graph.check import inspect_text
from mainspring.graph.custom_kinds import Listed, Unusable, all_kinds, find, names
from mainspring.tasks.catalogue import catalogue
from mainspring.tasks.custom import usable

__all__ = ["own_kinds"]

KIND = """
import mainspring as ms
from typing import Annotated, Literal
from msgspec import Meta, Struct

class Config(Struct):
    size: Annotated[int, Meta(description="how large")]
    mode: Literal["a", "b"] = "b"
    factor: float | None = None

@ms.node_kind("{name}", ports=("later",), icon="⚙", config=Config)
def work(input: dict) -> dict:
    '''Works.'''
    return input
"""
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution: its module's text, and what it offers."""

    def make(name: str, text: str, version: str = "1.0", site: str = "site", **offers: str) -> Path:
        folder = tmp_path / site
        metadata = folder / f"{name}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = "".join(f"{kind.replace('__', '.')} = {value}\n" for kind, value in offers.items())
        (metadata / "entry_points.txt").write_text(f"[mainspring.nodes]\n{lines}")
        (folder / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        if str(folder) not in sys.path:
            monkeypatch.syspath_prepend(folder)
        return folder

    return make


def said(type: str) -> list[tuple[str, str]]:
    found = inspect_text(f"id: w\nnodes: [{{id: n, type: {type}, config: {{size: 1}}}}]")[1]
    return [(one.code, one.message) for one in found]


def test_a_plugin_is_imported_when_a_definition_uses_its_kind_and_not_before(install: Install) -> None:
    install("acme_late", KIND.format(name="acme.late"), acme__late="acme_late:work")
    assert "acme.late" in names()
    assert said("log") == [], "another kind has nothing to do with it"
    assert said("acme.lat")[0][0] == "MS205"
    assert "acme_late" not in sys.modules
    assert said("acme.late") == []
    assert "acme_late" in sys.modules
    assert ms.run(ms.Workflow("w", nodes=[ms.Node("n", "acme.late", config={"size": 1})]), input={"a": 1}).output == {
        "a": 1
    }


def test_a_plugin_that_is_installed_meanwhile_is_seen(install: Install) -> None:
    install("acme_first", KIND.format(name="acme.first"), acme__first="acme_first:work")
    assert said("acme.second")[0][0] == "MS205"
    install("acme_second", KIND.format(name="acme.second"), acme__second="acme_second:work")
    assert said("acme.second") == []


BROKEN = {
    "missing": (
        "import nowhere_at_all",
        "it cannot be loaded: ModuleNotFoundError: No module named 'nowhere_at_all' (",
    ),
    "raises": ("\n\nx = 1 / 0", "it cannot be loaded: ZeroDivisionError: division by zero ("),
    "exits": ("raise SystemExit('bye')", "it cannot be loaded: SystemExit: bye ("),
    "syntax": ("def (", "it cannot be loaded: SyntaxError: invalid syntax"),
    "lacks": ("", "it cannot be loaded: AttributeError: module 'acme_broken' has no attribute 'work'"),
    "plain": (
        "def work(): ...",
        "acme_broken:work is no node kind: it needs the decorator @ms.node_kind('acme.broken')",
    ),
    "other": (
        KIND.format(name="acme.other"),
        "acme_broken:work declares the kind 'acme.other': the entry point must have the same name",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_plugin_is_told_where_it_is_used_and_hurts_nobody_else(broken: str, install: Install) -> None:
    text, reason = BROKEN[broken]
    install("acme_broken", text, acme__broken="acme_broken:work")
    install("acme_fine", KIND.format(name="acme.fine"), acme__fine="acme_fine:work")
    ((code, message),) = said("acme.broken")
    assert code == "MS272" and message.startswith(f"the node kind `acme.broken` cannot be used here: {reason}")
    assert said("acme.fine") == []
    with pytest.raises(HandlerNotFound, match=r"the node kind 'acme.broken' cannot be used here"):
        usable("acme.broken")
    listed = {one["kind"]: one for one in catalogue()}
    assert listed["acme.broken"]["problem"].startswith(reason) and "problem" not in listed["acme.fine"]


def test_the_line_of_the_plugin_is_told(install: Install) -> None:
    folder = install("acme_broken", "\n\nx = 1 / 0", acme__broken="acme_broken:work")
    found = find("acme.broken")
    assert isinstance(found, Unusable) and found.reason.endswith(f"({folder}/acme_broken.py, line 3)")


def test_a_name_of_mainsprings_own_stays_its_own(install: Install) -> None:
    install("acme_http", "raise RuntimeError('imported')", http="acme_http:work", for_each="acme_http:work")
    assert find("http") is None and "http" not in names()
    reasons = {one.name: one.reason for one in all_kinds() if isinstance(one, Unusable)}
    assert reasons == {
        "http": "the name is taken, it is the built-in kind `http`",
        "for_each": "the name is taken, it is read as the built-in kind `forEach`",
    }


def test_two_plugins_that_offer_one_name_are_told(install: Install) -> None:
    install("acme_one", KIND.format(name="acme.both"), acme__both="acme_one:work")
    install("acme_two", KIND.format(name="acme.both"), version="2.1", acme__both="acme_two:work")
    ((code, message),) = said("acme.both")
    assert code == "MS272"
    assert "acme_one 1.0 (acme_one:work) and acme_two 2.1 (acme_two:work); uninstall all but one" in message
    assert "acme_one" not in sys.modules


def test_an_older_installation_behind_on_the_path_is_no_second_plugin(install: Install) -> None:
    install("acme_one", KIND.format(name="acme.one"), site="old", acme__one="acme_one:work")
    install("acme_one", KIND.format(name="acme.one"), version="2.0", site="new", acme__one="acme_one:work")
    (found,) = [one for one in all_kinds() if isinstance(one, Listed) and one.kind.name == "acme.one"]
    assert found.source.version == "2.0"


def test_what_was_declared_by_hand_comes_before_a_plugin_of_its_name(install: Install) -> None:
    install("acme_hand", KIND.format(name="acme.hand"), acme__hand="acme_hand:work")

    @ms.node_kind("acme.hand", config={"type": "object"})
    def mine() -> None: ...

    found = find("acme.hand")
    assert isinstance(found, custom_kinds.NodeKind) and found.handler is mine and "acme_hand" not in sys.modules
    (told,) = [one for one in all_kinds() if isinstance(one, Unusable)]
    assert "two node kinds want the name 'acme.hand'" in told.reason


def test_what_is_listed(install: Install) -> None:
    install("acme_listed", KIND.format(name="acme.listed"), version="3.2", acme__listed="acme_listed:work")
    (one,) = [each for each in catalogue() if each["kind"] == "acme.listed"]
    assert one["source"]["text"] == "acme_listed 3.2 (acme_listed:work)"
    assert (one["icon"], one["ports"], one["runs"], one["what"]) == ("⚙", ["later"], "a thread", "Works")
    assert one["config"] == {
        "size": "how large: a whole number; it must be there",
        "mode": 'a or b; "b" where left out',
        "factor": "a number",
    }
    assert json.loads(json.dumps(one)) == one
    example = inspect_text(f"id: w\nnodes:\n{one['example']}\n")
    assert example[0] is not None and example[1] == ()


def test_the_command_that_lists_them(install: Install, tmp_path: Path) -> None:
    folder = install("acme_cli", "print('loaded')\n" + KIND.format(name="acme.cli"), acme__cli="acme_cli:work")
    install("acme_bad", "import nowhere_at_all", acme__bad="acme_bad:work", script="acme_bad:work")

    def shell(*args: str) -> subprocess.CompletedProcess[str]:
        program = (
            f"import sys; sys.path.insert(0, {str(folder)!r}); from mainspring.cli.main import main; sys.exit(main())"
        )
        return subprocess.run(
            [sys.executable, "-c", program, *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    listed = shell("nodes")
    assert listed.returncode == 0, listed.stderr
    lines = [line.strip() for line in listed.stdout.split("Custom kinds\n")[1].splitlines()]
    assert lines[:3] == [
        "✗   acme.bad  cannot be used: it cannot be loaded: ModuleNotFoundError: No module named 'nowhere_at_all' "
        f"({folder}/acme_bad.py, line 1)",
        "from acme_bad 1.0 (acme_bad:work)",
        "✓ ⚙ acme.cli  Works",
    ]
    assert lines[3:5] == ["config: size, mode, factor; ports: later", "from acme_cli 1.0 (acme_cli:work)"]
    assert "script    cannot be used: the name is taken" in listed.stdout
    told = json.loads(shell("nodes", "--json").stdout)
    assert [one["kind"] for one in told["custom"]] == ["acme.bad", "acme.cli", "script"]
    detail = shell("nodes", "acme.cli").stdout
    assert "⚙ acme.cli\n  Works\n" in detail and "the primary output, later" in detail
    assert "    config: {size: 1}" in detail
    assert "cannot be used: it cannot be loaded" in shell("nodes", "acme.bad").stdout
    assert "did you mean `acme.cli`?" in shell("nodes", "acme.clo").stderr
    assert shell("nodes", "script").stdout.startswith("script\n"), "our own"


@pytest.mark.timed
def test_nobody_pays_who_uses_none() -> None:
    """A definition of built-in kinds alone reads no metadata of what is installed."""
    program = (
        "import sys, mainspring as ms\n"
        "ms.loads('id: w\\nnodes: [{id: a, type: log}, {id: b, type: function, handler: json:dumps}]')\n"
        "assert 'importlib.metadata' not in sys.modules, 'read'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
