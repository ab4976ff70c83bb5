"""Names are the trade's; a drawer for everything is no name."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.house.tree import Source, breaks, faults, sources

NO_NAMES = re.compile(r"utils?|helpers?|managers?|services?|misc|common")
# Handlers are called after the document's tags, and this one is what merchants know it by.
_A_TAG = "handlers/test_helpers.py"
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def empty_file_names(source: Source) -> Iterator[str]:
    """A file or folder that is called after nothing; one word of several counts too."""
    if source.path == _A_TAG:
        return
    for part in PurePosixPath(source.path).with_suffix("").parts:
        if any(NO_NAMES.fullmatch(word) for word in re.split(r"[_-]", part)):
            yield f"{source.path}: {part} says nothing"


def empty_class_names(source: Source) -> Iterator[str]:
    for found in source.classes:
        if any(NO_NAMES.fullmatch(word.lower()) for word in _WORDS.findall(found.name)):
            yield f"{source.place(found)} class {found.name} says nothing"


def test_files_and_folders_are_named_after_something() -> None:
    for path in ("flows/utils.py", "flows/helpers/money.py", "adapters/payment_service.py"):
        assert breaks(empty_file_names, "", path)
    assert faults(empty_file_names, sources()) == []


def test_classes_are_named_after_something() -> None:
    for name in ("PaymentManager", "CardService", "Utils", "HTTPHelper"):
        assert breaks(empty_class_names, f"class {name}: ...")
    assert not breaks(empty_class_names, "class ServiceableArea: ...")
    assert faults(empty_class_names, sources()) == []
