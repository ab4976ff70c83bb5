"""What must not stand in any file: the machines that wrote it, the hosts it was fetched from."""

import re

import pytest

from tests.house.tree import ROOT, text_files

FEWEST_TEXT_FILES = 150
# Put together here, so that this file does not contain what it forbids.
_HOSTS = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "proxy" + ".golang.org")
_HOMES = ("work", "home", "root", "Users")
FORBIDDEN = {
    "a package registry": re.compile("|".join(re.escape(host) for host in _HOSTS)),
    "a work machine's path": re.compile(rf"(?<![\w.$}}\]/-])/(?:{'|'.join(_HOMES)})/\w"),
    "an index of packages": re.compile("--(extra-)?" + "index-url|" + "--find-" + "links"),
}
_PIN = re.compile(r"^[A-Za-z0-9._-]+(\[[\w,]+\])?==\S+")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def mentions(text: str) -> list[str]:
    return [what for what, pattern in FORBIDDEN.items() if pattern.search(text)]


def test_the_rule_can_fail() -> None:
    assert mentions("https://" + _HOSTS[0] + "/simple") == ["a package registry"]
    assert mentions('open("/' + _HOMES[0] + '/main/x")') == ["a work machine's path"]
    assert mentions("pip --" + "index-url x") == ["an index of packages"]
    assert mentions("/usr/bin/env python3, https://paymint.example/home/page") == []


def test_no_file_tells_where_it_was_made() -> None:
    files = text_files()
    assert len(files) > FEWEST_TEXT_FILES
    found = {path: mentions(text) for path, text in files.items()}
    assert {path: what for path, what in found.items() if what} == {}


def unpinned(text: str) -> list[str]:
    """Requirements without a pinned version or without a hash; lines that are none."""
    logical = re.sub(r"\\\n", " ", text)
    lines = [line.partition("#")[0].strip() for line in logical.splitlines()]
    return [line for line in lines if line and not (_PIN.match(line) and _HASH.search(line))]


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_requirement_is_pinned_by_its_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert _HASH.search(text)
    assert "://" not in text
    assert unpinned(text) == []
    assert unpinned("some==1.0\n") and unpinned("some>=1 --hash=sha256:" + "0" * 64)
