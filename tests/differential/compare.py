"""Sends the same proposals to two servers and compares what they say, member by member.

compare.py FIXTURES REKOR_URL CAIRN_URL. Both must not have seen these fixtures before.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cases
import known
from cases import Case
from client import Server, attestation_of, body_of, entries_of, leaf_of

Said = dict[str, str]
SHOWN = 160


def observe(server: Server, case: Case) -> tuple[Said, str]:
    """Everything that a server says of a case but for searches, and the leaf if it is in."""
    created = server.create(case.proposal)
    said = {"status": str(created.status), "message": created.message()}
    again = server.create(case.proposal)
    said["again: status"] = str(again.status)
    said["again: leaf"] = leaf_of(again.location) if again.status == 409 else ""
    found = server.find(case.proposal)
    said["found: status"] = str(found.status)
    said["found: message"] = found.message()
    for leaf, entry in entries_of(found):
        said["found: leaf"] = leaf
        said["found: body"] = body_of(entry)
    leaf = ""
    for leaf, entry in entries_of(created):
        said["leaf"] = leaf
        said["body"] = body_of(entry)
        read = server.entry(leaf)
        said["read: status"] = str(read.status)
        for _, entry in entries_of(read):
            said["read: body"] = body_of(entry)
            said["read: attestation"] = attestation_of(entry)
        stored = server.create(json.loads(said["body"]))
        said["stored form: status"] = str(stored.status)
        said["stored form: message"] = stored.message().replace(leaf_of(stored.location), "")
        looked = server.find(json.loads(said["body"]))
        said["stored form, found: status"] = str(looked.status)
        said["stored form, found: message"] = looked.message()
    if again.status == 409:
        # The text names the entry by the tree that it is in.
        said["again: message"] = "exists"
        if created.status == 409:
            said["message"] = "exists"
    if said.get("stored form: status") == "409":
        said["stored form: message"] = "exists"
    return said, leaf


def searches(rekor: Server, cairn: Server, case: Case, leaf: str, both: set[str]) -> list[Said]:
    """What each finds for the case's queries, of the leaves that are in both."""
    said: list[Said] = [{}, {}]
    for label, query in case.queries.items():
        status, found, message = cairn.search(query)
        said[1][f"search by {label}"] = f"{status} {sorted(found & both)} {message}"
        until = rekor.search_until(query, leaf) if leaf in found else rekor.search(query)
        said[0][f"search by {label}"] = f"{until[0]} {sorted(until[1] & both)} {until[2]}"
    return said


def differences(rekor: Said, cairn: Said) -> Iterator[tuple[str, str, str]]:
    """Members that differ."""
    for member in rekor.keys() | cairn.keys():
        ours, theirs = cairn.get(member, "(none)"), rekor.get(member, "(none)")
        if ours != theirs:
            yield member, theirs, ours


def short(text: str) -> str:
    """For people."""
    text = text.replace("\n", "\\n")
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


class Run:
    """All cases, counted."""

    def __init__(self, rekor: Server, cairn: Server) -> None:
        self.rekor, self.cairn = rekor, cairn
        self.known = known.load(Path(__file__).with_name("known.toml"))
        self.both: set[str] = set()
        self.counts: Counter[tuple[str, str]] = Counter()

    def case(self, case: Case) -> None:
        """One case: a line, and its differences."""
        (theirs, their_leaf), (ours, our_leaf) = (
            observe(server, case) for server in (self.rekor, self.cairn)
        )
        if their_leaf and their_leaf == our_leaf:
            self.both.add(our_leaf)
            found = searches(self.rekor, self.cairn, case, our_leaf, self.both)
            theirs |= found[0]
            ours |= found[1]
        verdict = "same"
        for member, rekor, cairn in sorted(differences(theirs, ours)):
            reason = self.reason(case.name, member, rekor, cairn)
            if reason:
                verdict = "explained" if verdict == "same" else verdict
                print(f"  explained: {case.name}: {member}: {reason}")
            else:
                verdict = "different"
                print(f"  DIFFERENT: {case.name}: {member}")
                print(f"    rekor {short(rekor)}\n    cairn {short(cairn)}")
        if case.expected and case.expected != ("ok" if theirs["status"] == "201" else "refused"):
            print(f"  note: {case.name} was thought to be {case.expected}")
        self.counts[case.kind, verdict] += 1
        print(f"{verdict} {theirs['status']} {case.name}", flush=True)

    def reason(self, case: str, member: str, rekor: str, cairn: str) -> str:
        """Why it may differ, if it may."""
        for entry in self.known:
            if entry.explains(case, member, rekor, cairn):
                entry.used += 1
                return entry.reason
        return ""

    def close(self) -> bool:
        """The table, and whether all is well."""
        verdicts = ("same", "explained", "different")
        print(f"\n{'kind':<14}" + "".join(f"{verdict:>12}" for verdict in verdicts))
        for kind in sorted({kind for kind, _ in self.counts}):
            row = "".join(f"{self.counts[kind, verdict]:>12}" for verdict in verdicts)
            print(f"{kind:<14}{row}")
        unused = [entry for entry in self.known if not entry.used and not entry.chance]
        for entry in unused:
            print(f"no longer different: {entry.case}: {entry.member}: {entry.reason}")
        total = {verdict: sum(n for (_, v), n in self.counts.items() if v == verdict)
                 for verdict in verdicts}
        failed = total["different"] + len(unused)
        print(f"{total['explained']} of them differ for a reason that is in known.toml")
        print(f"differential: {total['same'] + total['explained']} passed, {failed} failed")
        return failed == 0


def main(fixtures: Path, rekor_url: str, cairn_url: str) -> bool:
    """Fixtures as they are, then spoilt ones."""
    run = Run(Server(rekor_url), Server(cairn_url))
    whole = list(cases.load(fixtures))
    for case in whole:
        run.case(case)
    for case in whole:
        for spoilt in cases.spoilt(case):
            run.case(spoilt)
    return run.close()


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1]), *sys.argv[2:4]) else 1)
