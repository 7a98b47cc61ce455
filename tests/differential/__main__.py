"""Sends the same proposals to a Rekor v1 and to Cairn and compares what they do, member by member.

Usage: python3 tests/differential REKOR_URL CAIRN_URL FIXTURES [PATTERN]. FIXTURES is what
tests/fixtures/make.sh made, anew for each run: both logs have to see each entry for the first
time. PATTERN picks cases by name. Prints a line a case and a table; the exit code is 1 if a
difference is not in known.toml, or if one that is there is no more.
"""

from __future__ import annotations

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cases
from compare import Comparer, Result
from known import KnownList
from report import Report
from servers import Server

HERE = Path(__file__).resolve().parent
WORKERS = 4


def run_all(comparer: Comparer, found: list[cases.Case], report: Report) -> None:
    """Groups beside each other, the cases of a group one after the other."""
    in_order = sorted(found, key=lambda case: case.group)
    groups = [list(group) for _, group in itertools.groupby(in_order, lambda case: case.group)]

    def run_group(group: list[cases.Case]) -> None:
        for case in group:
            report.add(comparer.run(case))

    groups.sort(key=len, reverse=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(run_group, group) for group in groups]:
            done.result()


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    rekor, cairn = Server("rekor", arguments[0]), Server("cairn", arguments[1])
    pattern = arguments[3] if len(arguments) == 4 else "*"
    found = cases.load(Path(arguments[2]), pattern)
    known = KnownList(HERE / "known.toml")
    report = Report(known)
    with ThreadPoolExecutor(WORKERS) as workers:
        run_all(Comparer(rekor, cairn, workers), found, report)
    return report.close(whole=pattern == "*")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
