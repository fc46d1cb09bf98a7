"""D6: what somebody new to it breaks first, and what the screen says of it: the place is the right one, the hint mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mainspring as ms
from mainspring.cli.main import main
from tests.cli.shell import Shell

HEAD = "id: w\nnodes:\n  - {id: a, type: log}\n"

# The file, the place of its first finding, and what is said there.
BROKEN: dict[str, tuple[str, int, int, str]] = {
    "a quote not closed, within braces": (
        HEAD + '  - {id: b, type: log, input: {x: "y}}\n  - {id: c, type: log, input: {x: "z"}}\n',
        4,
        35,
        "the quote that begins here is closed in line 5 only",
    ),
    "a quote not closed, in a block": (
        HEAD + "  - id: b\n    type: log\n    name: 'one\n  - id: c\n    type: log\n    name: 'two'\n",
        6,
        11,
        "the quote that begins here is closed in line 9 only",
    ),
    "a bracket not closed": (
        HEAD + "  - id: b\n    dependsOn: [a\n    type: log\n",
        6,
        9,
        "= the `[` of line 5 is still open",
    ),
    "a brace not closed": (
        "id: w\nnodes:\n  - {id: a, type: log\n  - {id: b, type: log}\n",
        4,
        5,
        "= the `{` of line 3 is still open",
    ),
    "a comma forgotten": (HEAD + "  - {id: b type: log}\n", 4, 16, ""),
    "a template without quotes": (
        HEAD + "  - {id: b, type: log, input: ${ input.x }}\n",
        4,
        32,
        "= put a text with `${ … }` into quotes",
    ),
    "a condition in braces": (
        HEAD + "  - {id: b, type: log}\nconnections:\n  - {source: a, target: b, condition: ${ output.x }}\n",
        6,
        40,
        "= a condition is written without `${ }`",
    ),
    "a condition in braces and quotes": (
        HEAD + '  - {id: b, type: log}\nconnections:\n  - {source: a, target: b, condition: "${ output.x }"}\n',
        6,
        41,
        "write it without `${ }`",
    ),
    "no space behind a colon": (
        HEAD + "  - {id: b, type: log, retry: {strategy:fixed, maxAttempts: 2}}\n",
        4,
        32,
        "= put a space behind the `:`, as in `strategy: …`",
    ),
    "a language for a type": (
        HEAD + "  - {id: b, type: bash}\n",
        4,
        19,
        "= a script is `type: script` with `runtime: bash`",
    ),
    "Python for a type": (HEAD + "  - {id: b, type: python}\n", 4, 19, "`type: function`"),
    "a type like no other": (HEAD + "  - {id: b, type: zzzzz}\n", 4, 19, "= `mainspring nodes` lists"),
    "a key of a config": (
        HEAD + "  - {id: b, type: function, config: {handlr: 'm:f'}}\n",
        4,
        5,
        "= its config has `handlr`; did you mean `handler`?",
    ),
    "no space behind a colon of a node": (
        HEAD + "  - {type:log, id: b, type: log}\n",
        4,
        6,
        "= put a space behind the `:`, as in `type: …`",
    ),
    "a node without a type": (HEAD + "  - {id: b}\n", 4, 5, "= such as `type: function`"),
    "a connection in words": (
        HEAD + "  - {id: b, type: log}\nconnections:\n  - a -> b\n",
        6,
        5,
        "= write it as `{source: a, target: b}`",
    ),
    "connections that are no list": (
        HEAD + "  - {id: b, type: log}\nconnections:\n  source: a\n  target: b\n",
        6,
        3,
        "= write it in `[ ]`, or each item after a `- `",
    ),
    "code behind its key": (HEAD + '  - id: b\n    code: return {"x": 1}\n', 5, 22, "below a `|`"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_was_broken_is_told_so_that_it_can_be_mended(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, line, column, said = BROKEN[kind]
    Path("w.yaml").write_text(text)
    assert main(["validate", "w.yaml"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"w.yaml:{line}:{column}: error ") and said in told, told


def test_a_comma_forgotten_is_not_said_to_be_a_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.yaml").write_text(BROKEN["a comma forgotten"][0])
    main(["validate", str(tmp_path / "w.yaml")])
    assert "${" not in capsys.readouterr().err


def test_a_text_over_several_lines_is_no_open_quote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.yaml").write_text(HEAD + '  - {id: b, type: log, name: "one\n     two"}\n  - {id: c type: log}\n')
    main(["validate", str(tmp_path / "w.yaml")])
    told = capsys.readouterr().err
    assert "w.yaml:6:" in told and "is missing before this" in told


def test_a_program_is_told_from_a_workflow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("made.py").write_text("import mainspring as ms\n")
    assert main(["run", "made.py"]) == 2
    told = capsys.readouterr().err
    assert "error MS109: made.py is a program, no workflow file" in told and "run it with `python made.py`" in told
    assert main(["run", "other.py"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["validate", "."]) == 2
    assert "cannot read .: it is a folder" in capsys.readouterr().err


def test_a_file_that_is_not_there_has_its_neighbour_named_by_its_whole_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flows").mkdir()
    Path("flows/parcel.yaml").write_text(HEAD)
    Path("flows/parcels.py").touch()
    for wanted in ("flows/parcel.yml", "flows/parcels.yaml"):
        main(["validate", wanted])
        assert f"= did you mean `{Path('flows/parcel.yaml')}`?" in capsys.readouterr().err
    main(["validate", "flows/zebra.yaml"])
    assert "did you mean" not in capsys.readouterr().err


def test_a_module_that_is_not_there_is_told_in_whole_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "newcomers_parcels.py").write_text("def book(): ...\n")
    (tmp_path / "w.yaml").write_text(HEAD + "  - {id: b, type: function, config: {handler: 'newcomers_parcel:book'}}\n")
    main(["validate", str(tmp_path / "w.yaml")])
    assert "did you mean `newcomers_parcels`? Put it beside" in " ".join(capsys.readouterr().err.split())


def test_a_key_that_was_run_before_says_so(shell: Shell) -> None:
    """Another input under the same key is not looked at: whoever typed it must hear of that."""
    note = "this key was run before: nothing ran now"
    assert note not in shell("run", "echo.yaml", "--key", "k", "--input", "value=1").stdout
    again = shell("run", "echo.yaml", "--key", "k", "--input", "value=2")
    assert note in again.stdout and '"value": 1' in again.stdout
    quiet = shell("run", "echo.yaml", "--key", "k", "--quiet")
    assert quiet.stdout.startswith('{"value":1')


def test_code_with_a_syntax_error_is_told_at_its_own_line_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "newcomers_slip.py").write_text("def book():\n    return {1\n")
    (tmp_path / "w.yaml").write_text(HEAD + "  - {id: b, type: function, config: {handler: 'newcomers_slip:book'}}\n")
    main(["validate", str(tmp_path / "w.yaml")])
    told = " ".join(capsys.readouterr().err.split())
    assert "SyntaxError: '{' was never closed (newcomers_slip.py, line 2)" in told
    assert "importlib" not in told


def test_a_context_without_its_annotation_is_told_so(shell: Shell) -> None:
    shell.write("unsaid.py", "def book(ctx, grams):\n    return ctx.attempt\n")
    shell.write("unsaid.yaml", "id: w\nnodes: [{id: b, type: function, config: {handler: 'unsaid:book'}}]\n")
    done = shell("run", "unsaid.yaml", "--input", "grams=1")
    assert done.returncode == 1
    assert "book needs `ctx`, and the input has `grams`; the context is had by its annotation: `ctx:" in done.stdout


def test_a_path_for_a_store_is_told_as_the_url_it_was_meant_to_be(shell: Shell) -> None:
    assert "did you mean sqlite:///orders.db?" in shell("run", "echo.yaml", "--store", "orders.db").stderr
    assert "did you mean" not in shell("run", "echo.yaml", "--store", "mysql://x").stderr


def test_a_task_that_cannot_take_its_input_is_told_with_the_way_to_it_in_python_too(tmp_path: Path) -> None:
    (tmp_path / "newcomers_post.py").write_text("def tell(tracking: str): ...\n")
    file = tmp_path / "w.yaml"
    file.write_text(
        HEAD + "  - {id: b, type: function, config: {handler: 'newcomers_post:tell'}, input: {traking: x}}\n"
    )
    with pytest.raises(ms.DefinitionError, match=r"^nodes\[1\]\.input\.traking: error MS230 tell needs `tracking`"):
        ms.run(file)
