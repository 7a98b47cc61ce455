"""Runs a case against both servers and tells each member in which they differ."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import queries
from cases import Case
from observe import NOT_BUILT, Observation, Observed
from servers import Server

# Rekor writes its search index after it has answered.
INDEX_SECONDS_MAX = 5
INDEX_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Difference:
    """One member, and what each server says."""

    member: str
    rekor: str
    cairn: str


@dataclass
class Result:
    """Of one case."""

    case: Case
    status: str
    differences: list[Difference] = field(default_factory=list)
    skipped: str = ""


def text(value: object) -> str:
    """A member's value for people; `absent` if there is none."""
    return "absent" if value is None else str(value)


def differences(rekor: Observed, cairn: Observed) -> list[Difference]:
    """Member by member; those that are records themselves by what is unlike in them."""
    found = []
    for member in dict.fromkeys([*rekor, *cairn]):
        left, right = rekor.get(member), cairn.get(member)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            for key in dict.fromkeys([*left, *right]):
                if left.get(key) != right.get(key):
                    pair = (f"{key}: {text(left.get(key))}", f"{key}: {text(right.get(key))}")
                    found.append(Difference(member, *pair))
        else:
            found.append(Difference(member, text(left), text(right)))
    return found


class Comparer:
    """Both servers."""

    def __init__(self, rekor: Server, cairn: Server, workers: ThreadPoolExecutor) -> None:
        self.rekor = rekor
        self.cairn = cairn
        self.workers = workers

    def run(self, case: Case) -> Result:
        """Sends the case to both at a time."""
        theirs = self.workers.submit(Observation(self.rekor, case).create)
        ours = Observation(self.cairn, case).create()
        rekor = theirs.result()
        result = Result(case, str(rekor.seen["answer"])[:3])
        if ours.unsupported():
            result.skipped = NOT_BUILT
            return result
        if rekor.accepted() != ours.accepted():
            # Whatever else differs follows from this.
            rekor.keep("answer")
            ours.keep("answer")
        elif rekor.body and rekor.leaf == ours.leaf:
            self.search(case, rekor, ours)
        result.differences = differences(rekor.seen, ours.seen)
        said = "ok" if rekor.accepted() else "refused"
        if case.expected not in ("", said):
            fault = Difference("expected", said, f"{case.expected}, says the fixture")
            result.differences.append(fault)
        return result

    def search(self, case: Case, rekor: Observation, cairn: Observation) -> None:
        """Asks both the same, again while they differ and Rekor may still be writing."""
        proposal = case.proposal()
        assert proposal is not None
        asked = queries.about(proposal, rekor.body)
        deadline = time.monotonic() + INDEX_SECONDS_MAX
        cairn.search(asked)
        rekor.search(asked)
        while lags(rekor.seen, cairn.seen) and time.monotonic() < deadline:
            time.sleep(INDEX_PAUSE_SECONDS)
            rekor.search(asked)


def lags(rekor: Observed, cairn: Observed) -> bool:
    """Has Rekor found less than Cairn by some query, and nothing at all by its hashes?"""
    return rekor.get("search.hash") != cairn.get("search.hash")
