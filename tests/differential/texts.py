"""Requests that are odd as texts: JSON with repeated members, cut, followed by more, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator

CONTENT_TYPES = [
    ("content-type:none", ""),
    ("content-type:charset", "application/json; charset=utf-8"),
    ("content-type:capitals", "Application/JSON"),
    ("content-type:text", "text/plain"),
    ("content-type:yaml", "application/yaml"),
    ("content-type:broken", "application"),
]

# Bodies that are no proposal at all.
BODIES: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("spaces", b" \n\t"),
    ("null", b"null"),
    ("number", b"1"),
    ("text", b'"text"'),
    ("list", b"[]"),
    ("object", b"{}"),
    ("open", b"{"),
    ("open-text", b'{"kind": "hashed'),
    ("words", b"not JSON"),
    ("not-utf-8", b'{"kind": "\xff"}'),
    ("nul", b"\0"),
    ("comment", b'{"kind": "rekord" /* a comment */}'),
    ("kind-alone", b'{"kind": "rekord"}'),
    ("kind-number", b'{"kind": 1, "apiVersion": "0.0.1", "spec": {}}'),
    ("kind-null", b'{"kind": null, "apiVersion": "0.0.1", "spec": {}}'),
    ("kind-empty", b'{"kind": "", "apiVersion": "0.0.1", "spec": {}}'),
    ("kind-markup", b'{"kind": "<&>\\u2028", "apiVersion": "0.0.1", "spec": {}}'),
    ("version-alone", b'{"apiVersion": "0.0.1"}'),
    ("spec-text", b'{"kind": "rekord", "apiVersion": "0.0.1", "spec": "text"}'),
    ("spec-list", b'{"kind": "rekord", "apiVersion": "0.0.1", "spec": [1]}'),
    ("spec-number", b'{"kind": "rekord", "apiVersion": "0.0.1", "spec": 1.5}'),
    *(
        (f"spec-empty:{kind}", json.dumps({"kind": kind, "apiVersion": v, "spec": {}}).encode())
        for kind in "alpine cose dsse hashedrekord helm intoto jar rekord rfc3161 rpm tuf".split()
        for v in (["0.0.1"] if kind != "intoto" else ["0.0.2"])
    ),
    ("spec-empty:intoto-0.0.1", b'{"kind": "intoto", "apiVersion": "0.0.1", "spec": {}}'),
]


def spellings(proposal: dict[str, object]) -> Iterator[tuple[str, bytes]]:
    """The same proposal, spelled in other ways."""
    text = json.dumps(proposal).encode()
    kind = json.dumps(proposal["kind"]).encode()
    yield "text:cut", text[:-1]
    yield "text:cut-inside", text[: len(text) // 2]
    yield "text:more-after", text + b" {"
    yield "text:bom", b"\xef\xbb\xbf" + text
    yield "text:spaces", b"\n\n " + json.dumps(proposal, indent=4).encode() + b"\r\n"
    yield "text:kind-first-other", b'{"kind": "rpm", ' + text[1:]
    yield "text:kind-last-other", text[:-1] + b', "kind": "unknown"}'
    yield "text:spec-first-empty", b'{"spec": {}, ' + text[1:]
    yield "text:spec-last-empty", text[:-1] + b', "spec": {}}'
    yield "text:kind-in-capitals-last", text[:-1] + b', "KIND": ' + kind + b"}"
    yield "text:escaped", text.replace(b"=", b"\\u003d").replace(b"/", b"\\/")
    yield "text:lone-surrogate", text[:-1] + b', "unknown": "\\ud800"}'
    yield "text:control-character", text[:-1] + b', "unknown": "\n"}'
    yield "text:large-number", text[:-1] + b', "unknown": 1e400}'
    yield "text:deep", text[:-1] + b', "unknown": ' + b"[" * 500 + b"]" * 500 + b"}"
    yield "text:in-a-list", b"[" + text + b"]"
