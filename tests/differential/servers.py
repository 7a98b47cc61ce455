"""A Rekor v1 API over HTTP: what is sent to it, and what it says. Nothing is judged here."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60
ENTRIES = "/api/v1/log/entries"
RETRIEVE = "/api/v1/log/entries/retrieve"
INDEX = "/api/v1/index/retrieve"


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    text: bytes
    location: str

    def value(self) -> object:
        """The body as JSON, or None if it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def error(self) -> dict[str, object]:
        """`code` and `message` of an error, as far as there are any; otherwise the text."""
        value = self.value()
        if not isinstance(value, dict):
            return {"text": self.text.decode(errors="replace")}
        return {name: value[name] for name in ("code", "message") if name in value}

    def leaf(self) -> str:
        """The leaf hash that the location ends with; empty without a location."""
        return self.location.rsplit("/", 1)[-1][-64:]


class Server:
    """One server; each thread has a connection of its own."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.address = urlsplit(url).netloc
        if not self.address:
            raise SystemExit(f"differential: not a URL: {url}")
        self._threads = threading.local()

    def post(self, path: str, body: bytes, content_type: str | None = None) -> Answer:
        """Sends a body; a content type of None is JSON's, an empty one is left out."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if content_type is not None:
            headers["Content-Type"] = content_type
        if not headers["Content-Type"]:
            del headers["Content-Type"]
        return self._send("POST", path, body, headers)

    def get(self, path: str) -> Answer:
        """Reads."""
        return self._send("GET", path, None, {"Accept": "application/json"})

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        """Sends once more over a new connection if the server had closed the old one."""
        for attempt in (1, 2):
            connection = getattr(self._threads, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
                self._threads.connection = connection
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                text = response.read()
                return Answer(response.status, text, response.headers.get("Location", ""))
            except (http.client.HTTPException, ConnectionError):
                connection.close()
                self._threads.connection = None
                if attempt == 2:
                    raise
        raise AssertionError("two attempts end by an answer or an error")
