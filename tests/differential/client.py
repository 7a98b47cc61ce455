"""What one server says: a small client of the Rekor v1 API."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60
# Rekor writes its index after it has answered.
INDEX_SECONDS = 3.0


@dataclass
class Answer:
    """A status, and what came with it."""

    status: int
    location: str
    content: object

    def message(self) -> str:
        """The text of an error."""
        if isinstance(self.content, dict) and "message" in self.content:
            return str(self.content["message"])
        return "" if self.status < 400 else json.dumps(self.content)


def leaf_of(entry_id: str) -> str:
    """The leaf hash, in hex, behind the tree's name."""
    return entry_id[-64:]


class Server:
    """One server, over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.connection = self.connect()

    def connect(self) -> HTTPConnection:
        return HTTPConnection(*self.address, timeout=TIMEOUT_SECONDS)

    def request(self, method: str, path: str, content: bytes | None = None) -> Answer:
        """One request; a connection that has gone is opened again, once."""
        headers = {"Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, path, content, headers)
            response = self.connection.getresponse()
        except (ConnectionError, OSError):
            self.connection.close()
            self.connection = self.connect()
            self.connection.request(method, path, content, headers)
            response = self.connection.getresponse()
        text = response.read()
        try:
            parsed = json.loads(text) if text else None
        except ValueError:
            parsed = text.decode(errors="replace")
        return Answer(response.status, response.getheader("Location") or "", parsed)

    def post(self, path: str, value: object) -> Answer:
        """JSON to a path."""
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", path, content)

    def create(self, proposal: object) -> Answer:
        """Proposes an entry."""
        return self.post("/api/v1/log/entries", proposal)

    def find(self, proposal: object) -> Answer:
        """Looks for what a proposal would become."""
        return self.post("/api/v1/log/entries/retrieve", {"entries": [proposal]})

    def entry(self, leaf: str) -> Answer:
        """An entry by its leaf hash."""
        return self.request("GET", f"/api/v1/log/entries/{leaf}")

    def search(self, query: dict[str, object]) -> tuple[int, set[str], str]:
        """Status, the leaves that are found, and the text of an error."""
        answer = self.post("/api/v1/index/retrieve", query)
        found = answer.content if answer.status == 200 else []
        return answer.status, {leaf_of(entry) for entry in found or []}, answer.message()

    def search_until(self, query: dict[str, object], leaf: str) -> tuple[int, set[str], str]:
        """The same, once the leaf is in the index, or never will be."""
        end = time.monotonic() + INDEX_SECONDS
        while True:
            result = self.search(query)
            if leaf in result[1] or result[0] != 200 or time.monotonic() > end:
                return result
            time.sleep(0.05)


def entries_of(answer: Answer) -> list[tuple[str, dict[str, object]]]:
    """Leaf hashes and entries of an answer, which is an object or a list of them."""
    if answer.status not in (200, 201):
        return []
    groups = answer.content if isinstance(answer.content, list) else [answer.content]
    return [(leaf_of(name), entry) for group in groups if group for name, entry in group.items()]


def body_of(entry: dict[str, object]) -> str:
    """The leaf's bytes, as text."""
    return base64.b64decode(str(entry["body"])).decode(errors="backslashreplace")


def attestation_of(entry: dict[str, object]) -> str:
    """What is stored beside it, in base64."""
    attestation = entry.get("attestation")
    return str(attestation.get("data", "")) if isinstance(attestation, dict) else ""
