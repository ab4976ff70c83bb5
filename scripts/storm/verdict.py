"""The verdict: what the merchants believe, our books and the networks' journal, side by side."""

import psycopg

from scripts.bookkeeping.checking import check
from scripts.bookkeeping.main import JOURNAL
from scripts.launcher.stack import Stack
from scripts.storm.believed import compare_beliefs
from scripts.storm.diary import Diary
from scripts.storm.found import Findings, open_work, stored
from scripts.storm.rules import compare_events, compare_journal, count_payments


def settled(stack: Stack) -> bool:
    """Whether nothing is left to do, and the books say so too."""
    try:
        return not open_work(stack) and not _differences(stack)
    except psycopg.Error:
        return False


def judge(stack: Stack, diary: Diary) -> Findings:
    """Everything that is wrong after a storm, once it had its time to settle."""
    findings = Findings(wrong=list(diary.wrong))
    try:
        findings.unfinished += [f"{count} {name}" for name, count in open_work(stack).items()]
        findings.books += _differences(stack)
        kept = stored(stack)
    except psycopg.Error as reason:
        findings.lost.append(f"the database does not answer: {type(reason).__name__}")
        return findings
    compare_beliefs(diary, kept, findings)
    compare_journal(stack.state.path / JOURNAL, kept, findings)
    compare_events(diary, kept, findings)
    count_payments(kept, findings)
    return findings


def _differences(stack: Stack) -> list[str]:
    """What `scripts/ledger check --settled` says."""
    report = check(stack.databases.main, stack.state.path / JOURNAL, settled=True)
    return [str(each) for each in report.differences]
