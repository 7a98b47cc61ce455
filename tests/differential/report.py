"""Lines, table and verdict."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict

from compare import Result
from known import KnownList

SHOWN_MAX = 300
COLUMNS = ("passed", "known", "failed", "skipped")


def shown(text: str) -> str:
    """On one line, and not too long."""
    line = text.replace("\r", "\\r").replace("\n", "\\n")
    return line if len(line) <= SHOWN_MAX else f"{line[:SHOWN_MAX]}… ({len(text)} characters)"


class Report:
    """Counts and prints; its methods may be called from several threads."""

    def __init__(self, known: KnownList) -> None:
        self.known = known
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.number = 0
        self.lock = threading.Lock()

    def add(self, result: Result) -> None:
        """One case's line, with a line more for each member that differs."""
        with self.lock:
            verdict, notes = self.judge(result)
            self.number += 1
            self.counts[result.case.group][verdict] += 1
            word = "not ok" if verdict == "failed" else "ok"
            mark = f" # {verdict}" if verdict in ("known", "skipped") else ""
            print(f"{word} {self.number} - {result.case.name} ({result.status}){mark}")
            for note in notes:
                print(f"    {note}")

    def judge(self, result: Result) -> tuple[str, list[str]]:
        """The verdict, and what there is to say about it."""
        if result.skipped:
            return "skipped", [result.skipped]
        verdict, notes = "passed", []
        for found in result.differences:
            reason = self.known.reason(
                result.case.name, found.member, found.rekor, found.cairn
            )
            if reason is None:
                verdict = "failed"
                notes.append(f"{found.member}: Rekor: {shown(found.rekor)}")
                notes.append(f"{' ' * len(found.member)}  Cairn: {shown(found.cairn)}")
            else:
                verdict = "known" if verdict == "passed" else verdict
                notes.append(f"{found.member}: known: {reason}")
        return verdict, notes

    def close(self, whole: bool) -> int:
        """The table and the last line; entries of the list that explained nothing are failures."""
        total: Counter[str] = Counter()
        print()
        print(f"{'':24}" + "".join(f"{column:>9}" for column in COLUMNS))
        for group, counts in sorted(self.counts.items()):
            total.update(counts)
            print(f"{group:24}" + "".join(f"{counts[column]:9}" for column in COLUMNS))
        print(f"{'all':24}" + "".join(f"{total[column]:9}" for column in COLUMNS))
        unused = self.known.unused() if whole else []
        for entry in unused:
            print(f"not ok - known.toml: {entry.cases} {entry.members} differs no more: {entry.reason}")
        passed = total["passed"] + total["known"]
        failed = total["failed"] + len(unused)
        print(f"differential: {passed} passed, {failed} failed")
        return 1 if failed or not passed else 0
