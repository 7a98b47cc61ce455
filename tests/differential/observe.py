"""What a server does with one case, as a flat record of members that can be compared."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from cases import Case
from queries import Query
from servers import ENTRIES, INDEX, RETRIEVE, Answer, Server

Observed = dict[str, object]
NOT_BUILT = "not supported by this build yet"
ENTRY_ID = re.compile(r"[0-9a-f]{16}([0-9a-f]{64})")


def plain(text: object) -> object:
    """A message without the tree's ID, which every server has of its own."""
    return ENTRY_ID.sub(r"\1", text) if isinstance(text, str) else text


def verdict(answer: Answer) -> str:
    """Status and message, and the code where it is another number."""
    error = answer.error()
    code = error.get("code", answer.status)
    number = f"{answer.status}" if code == answer.status else f"{answer.status}/{code}"
    return f"{number} {plain(error.get('message', error.get('text', '')))}"


def entry_of(answer: Answer) -> tuple[str, dict[str, object]]:
    """The entry ID and the entry of an answer that has one."""
    value = answer.value()
    if not isinstance(value, dict) or len(value) != 1:
        return "", {}
    return next(iter(value.items()))


def body_of(entry: dict[str, object]) -> str:
    """The canonical body as text."""
    return base64.b64decode(str(entry.get("body", ""))).decode(errors="backslashreplace")


class Observation:
    """The dealings with one server over one case."""

    def __init__(self, server: Server, case: Case) -> None:
        self.server = server
        self.case = case
        self.seen: Observed = {}
        self.body = ""
        self.leaf = ""

    def create(self) -> Observation:
        """Proposes the entry, and what follows from the answer."""
        answer = self.server.post(ENTRIES, self.case.body, self.case.content_type)
        self.leaf = answer.leaf()
        if answer.status == 201:
            self.logged(answer)
        else:
            self.seen["answer"] = verdict(answer)
        self.seen["leaf"] = self.leaf
        proposal = self.case.proposal()
        if proposal is not None and answer.status != 409:
            self.retrieve("retrieve", proposal)
        return self

    def logged(self, answer: Answer) -> None:
        """A new entry: its body, then the second submission, reads, and the stored form."""
        entry_id, entry = entry_of(answer)
        self.body = body_of(entry)
        self.seen.update(answer="201", body=self.body, members=sorted(entry))
        self.seen["again"] = verdict(self.server.post(ENTRIES, self.case.body))
        stored = json.loads(self.body)
        self.read(entry_id)
        self.seen["stored"] = verdict(self.server.post(ENTRIES, self.body.encode()))
        self.retrieve("stored.retrieve", stored)

    def read(self, entry_id: str) -> None:
        """The entry by its ID, with its attestation."""
        answer = self.server.get(f"{ENTRIES}/{entry_id}")
        if answer.status != 200:
            self.seen["get"] = verdict(answer)
            return
        entry = entry_of(answer)[1]
        self.seen["get"] = body_of(entry)
        kept = json.dumps(entry.get("attestation"))
        self.seen["attestation"] = f"{kept[:80]} {hashlib.sha256(kept.encode()).hexdigest()}"

    def retrieve(self, member: str, proposal: dict[str, object]) -> None:
        """The search for an entry by what was proposed: the leaves that are found."""
        answer = self.server.post(RETRIEVE, json.dumps({"entries": [proposal]}).encode())
        found = answer.value()
        if answer.status != 200 or not isinstance(found, list):
            self.seen[member] = verdict(answer)
            return
        leaves = sorted(entry_id[-64:] for each in found for entry_id in each)
        self.seen[member] = f"200 {' '.join(leaves)}"

    def accepted(self) -> bool:
        """Is the entry in the log, now or before?"""
        return self.leaf != ""

    def keep(self, member: str) -> None:
        """Forgets the other members."""
        self.seen = {member: self.seen[member]}

    def unsupported(self) -> bool:
        """Does this server lack the kind?"""
        return NOT_BUILT in str(self.seen["answer"])

    def search(self, queries: list[Query]) -> None:
        """Asks the index each, and keeps whether the entry was found, by kind of query."""
        found: dict[str, dict[str, str]] = {}
        for query in queries:
            answer = self.server.post(INDEX, json.dumps(query.body).encode())
            found.setdefault(f"search.{query.member}", {})[query.title] = self.outcome(answer)
        self.seen.update(found)

    def outcome(self, answer: Answer) -> str:
        """Found, not found, or refused and why."""
        value = answer.value()
        if answer.status != 200 or not isinstance(value, list):
            return verdict(answer)
        return "found" if any(each[-64:] == self.leaf for each in value) else "not found"
