from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mainspring.errors import HandlerNotFound
from mainspring.tasks import task
from mainspring.tasks.registry import find, reference_of, spec_of


@task
def plainly() -> int:
    return 1


class Shop:
    @staticmethod
    def close() -> str:
        return "closed"

    @classmethod
    def open(cls) -> str:
        return "open"


@pytest.fixture(autouse=True)
def clean_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(folder: Path, **files: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return str(folder)


def test_names_and_references() -> None:
    named = task(name="registry-named", process=True)(lambda: 2)
    assert find("registry-named") is named and find("plainly") is plainly
    assert reference_of(named) == "registry-named" and reference_of(plainly) == f"{__name__}:plainly"
    assert reference_of(Shop.close) == f"{__name__}:Shop.close" and find(reference_of(Shop.open))() == "open"
    spec = spec_of(named)
    assert spec is not None and spec.process and spec.name == "registry-named"
    for hopeless in (lambda: 1, Shop().__init__, [].append):  # type: ignore[misc]
        with pytest.raises(HandlerNotFound, match="name of their own"):
            reference_of(hopeless)


def test_main_is_a_script_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = write(tmp_path / "jobs", work="def clean(): return 3\n")
    found = find("jobs/work.py:clean", str(tmp_path))
    assert found() == 3 and find(f"{folder}/work.py:clean", "/") is found
    main = type(sys)("__main__")
    main.__file__ = f"{folder}/work.py"
    exec("def clean(): return 4", main.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert reference_of(main.clean) == f"{folder}/work.py:clean"
    assert find(reference_of(main.clean)) is main.clean


def test_two_folders_with_a_module_of_one_name(tmp_path: Path) -> None:
    one = write(tmp_path / "one", twinned="def name(): return 'one'\n")
    two = write(tmp_path / "two", twinned="def name(): return 'two'\n")
    assert [find("twinned:name", folder)() for folder in (one, two, one, two)] == ["one", "two", "one", "two"]
    assert sys.path[0] == one and two not in sys.path


def test_a_neighbour_of_the_wrong_folder_is_noticed(tmp_path: Path) -> None:
    one = write(tmp_path / "one", entry_n="from helper_n import who\n", helper_n="def who(): return 1\n")
    two = write(tmp_path / "two", entry_n="from helper_n import who\n", helper_n="def who(): return 2\n")
    assert find("entry_n:who", one)() == 1
    with pytest.raises(HandlerNotFound, match="helper_n"):
        find("entry_n:who", two)


def test_a_package_of_the_same_name_is_refused(tmp_path: Path) -> None:
    for number in ("one", "two"):
        write(tmp_path / number)
        write(tmp_path / number / "packaged", __init__="", parts=f"def name(): return '{number}'\n")
    assert find("packaged.parts:name", str(tmp_path / "one"))() == "one"
    with pytest.raises(HandlerNotFound, match="Rename one"):
        find("packaged.parts:name", str(tmp_path / "two"))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("plainlyy", "did you mean `plainly`.*--import MODULE"),
        ("shop.charge", "did you mean `shop:charge`"),
        ("helpful:chrage", "did you mean `charge`"),
        ("helpfull:charge", "did you mean `helpful`.*--import"),
        ("broken:x", "ZeroDivisionError.*broken.py, line 1"),
        ("needy:x", "it imports 'absent_module'"),
        ("helpful:number", "it is int"),
        ("absent.py:x", "no script .*absent.py"),
        ("", "no task is registered"),
    ],
)
def test_what_is_not_found_says_where_and_what(reference: str, said: str, tmp_path: Path) -> None:
    sys.modules.pop("helpful", None)
    folder = write(
        tmp_path, helpful="number = 1\ndef charge(): ...\n", broken="1 / 0\n", needy="import absent_module\n"
    )
    with pytest.raises(HandlerNotFound, match=f"(?s){said}"):
        find(reference, folder)


def test_one_own_name_in_two_modules_is_ambiguous(tmp_path: Path) -> None:
    text = "from mainspring.tasks import task\n@task\ndef shared_own(): ...\n"
    folder = write(tmp_path, mod_s="" + text, mod_t=text)
    find("mod_s:shared_own", folder), find("mod_t:shared_own", folder)
    with pytest.raises(HandlerNotFound, match=r"2 tasks.*mod_s:shared_own and mod_t:shared_own"):
        find("shared_own")


def test_a_given_name_belongs_to_one(tmp_path: Path) -> None:
    text = "from mainspring.tasks import task\n@task(name='given-once')\ndef one(): ...\n"
    folder = write(tmp_path, given_a=text, given_b=text)
    find("given_a:one", folder)
    with pytest.raises(HandlerNotFound, match="two tasks want the name 'given-once'"):
        find("given_b:one", folder)
