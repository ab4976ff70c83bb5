"""What scripts/check says of its checks, the audit that cannot be made, the inventory."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.launcher import advisories, check
from scripts.launcher.bootstrap import PIN, ROOT, lock_file
from scripts.launcher.check import CHECKS, NOT_RUN_STATUS, Check, Outcome, outcome_of, summary
from scripts.launcher.inventory import LOCKS, locked, write_inventory

SILENT = Check("silent", ("true",))
DISTANT = Check("distant", ("true",), may_not_run=True)


def test_a_check_that_cannot_be_made_is_neither_passed_nor_failed() -> None:
    assert outcome_of(DISTANT, 0) is Outcome.PASSED
    assert outcome_of(DISTANT, 1) is Outcome.FAILED
    assert outcome_of(DISTANT, NOT_RUN_STATUS) is Outcome.NOT_RUN
    # Only for those that need something beyond the tree.
    assert outcome_of(SILENT, NOT_RUN_STATUS) is Outcome.FAILED
    assert [one.name for one in CHECKS if one.may_not_run] == ["dependency audit"]


def test_the_summary_names_what_failed_and_what_was_not_run() -> None:
    passed, failed, not_run = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_RUN
    assert summary([("a", passed), ("b", passed)]) == "all 2 of 2 checks passed"
    assert summary([("a", passed), ("b", not_run)]) == "not run: b\n1 of 2 checks passed"
    told = summary([("a", failed), ("b", not_run), ("c", failed), ("d", passed)])
    assert told == "FAILED: a, c\nnot run: b\n1 of 4 checks passed"


def _exits(status: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"raise SystemExit({status})")


@pytest.mark.parametrize(
    ("statuses", "status", "last"),
    [
        ((0, 0), 0, "all 2 of 2 checks passed"),
        ((0, NOT_RUN_STATUS), 0, "not run: second\n1 of 2 checks passed"),
        ((1, NOT_RUN_STATUS), 1, "FAILED: first\nnot run: second\n0 of 2 checks passed"),
        ((NOT_RUN_STATUS, 0), 1, "FAILED: first\n1 of 2 checks passed"),
    ],
)
def test_the_exit_status_is_of_what_failed(
    statuses: tuple[int, int],
    status: int,
    last: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    first, second = statuses
    checks = (Check("first", _exits(first)), Check("second", _exits(second), may_not_run=True))
    monkeypatch.setattr(check, "CHECKS", checks)
    assert check.main() == status
    assert capfd.readouterr().out.endswith(f"\n\n{last}\n")


Package = dict[str, object]
FINE: Package = {"name": "orjson", "version": "3.11.0", "vulns": []}
ADVISORIES = [{"id": "PYSEC-2"}, {"id": "CVE-1"}]
KNOWN: Package = {"name": "example", "version": "1.0", "vulns": ADVISORIES}
SKIPPED: Package = {"name": "orjson", "skip_reason": "not found and could not be audited"}


def _told(*packages: Package) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_an_audit_passes_when_every_package_was_answered_for() -> None:
    assert advisories.verdict(_told(FINE, FINE), "").status == 0


def test_an_advisory_fails_the_audit_whatever_else_was_not_answered() -> None:
    found = advisories.verdict(_told(FINE, SKIPPED, KNOWN), "")
    assert (found.status, found.reason) == (1, "example 1.0: CVE-1, PYSEC-2")


def test_a_service_that_knows_no_package_is_out_of_reach() -> None:
    """pip-audit says "No known vulnerabilities found" then, and ends with 0."""
    found = advisories.verdict(_told(FINE, SKIPPED), "No known vulnerabilities found")
    assert found.status == NOT_RUN_STATUS
    assert "1 of 2 packages" in found.reason


def test_a_service_that_does_not_answer_is_out_of_reach_and_a_broken_audit_is_not() -> None:
    silent = advisories.verdict("", "ERROR: Could not connect to PyPI's vulnerability feed")
    assert silent.status == NOT_RUN_STATUS
    foreign = advisories.verdict("", "requests.exceptions.SSLError: CERTIFICATE_VERIFY_FAILED")
    assert foreign.status == NOT_RUN_STATUS
    broken = advisories.verdict("", "ERROR: invalid requirements input: dev.txt")
    assert broken.status == 1 and "invalid requirements" in broken.reason


def test_the_audit_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(command: tuple[str, ...], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, 1.0)

    monkeypatch.setattr(subprocess, "run", late)
    assert advisories.main() == NOT_RUN_STATUS


def test_the_scan_finds_what_it_is_there_for(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text('import subprocess\nsubprocess.run("ls " + input(), shell=True)\n')
    (scan,) = (one for one in CHECKS if one.name == "security")
    options = scan.command[1 : scan.command.index("-r") + 1]
    command = (sys.executable, "-m", "bandit", *options, str(bad))
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "B602" in run.stdout


def test_every_finding_that_stands_has_its_number_and_its_reason() -> None:
    scanned = [path for name in check.SECURITY_SCANNED for path in sorted((ROOT / name).rglob("*"))]
    lines = [
        line
        for path in scanned
        if path.suffix == ".py"
        for line in path.read_text().splitlines()
        if "# nosec" in line
    ]
    assert lines
    assert [line for line in lines if not re.search(r"# nosec B\d{3}  # \w.+", line)] == []


def test_the_inventory_names_every_locked_package_with_its_hash(tmp_path: Path) -> None:
    """PCI DSS 4.0.1 req. 6.3.2: an inventory of third-party software components."""
    target = tmp_path / "sbom.json"
    assert write_inventory(target) == 0
    inventory = json.loads(target.read_text())
    assert (inventory["bomFormat"], inventory["specVersion"]) == ("CycloneDX", "1.6")
    found = {f"{one['name']}=={one['version']}" for one in inventory["components"]}
    pins = re.findall(r"^([A-Za-z0-9][^ ;]*==[^ ;\\]+)", locked(), re.MULTILINE)
    assert found == set(pins)
    assert len(pins) == sum(len(PIN.findall(lock_file(name).read_text())) for name in LOCKS)
    for component in inventory["components"]:
        (source,) = component["externalReferences"]
        assert source["hashes"], component["name"]


def test_the_inventory_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert write_inventory(first) == write_inventory(second) == 0
    assert first.read_bytes() == second.read_bytes()
    assert not {"serialNumber"} & json.loads(first.read_text()).keys()
