"""Folders of tests are packages, or pytest keeps what a package shares until the very end.

A fixture of package scope in a folder that is no package lives as long as the session: its
stack goes on running beside every later test, and what it set in the environment stays.
"""

from pathlib import Path

from tests.house.tree import ROOT

TESTS = ROOT / "tests"
# So many there are at least; a search that finds fewer proves nothing.
FEWEST_FOLDERS = 20


def folders_without_package(root: Path) -> list[str]:
    found = {file.parent for file in root.rglob("*.py")}
    return sorted(f"{each.relative_to(root)}" for each in found if not _is_package(each))


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def test_every_folder_of_tests_is_a_package(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "test_it.py").touch()
    assert folders_without_package(tmp_path) == ["folder"]
    assert len({file.parent for file in TESTS.rglob("*.py")}) >= FEWEST_FOLDERS
    assert folders_without_package(TESTS) == []
