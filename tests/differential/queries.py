"""What the search index is asked about an entry: all that could lead to it, and more."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from members import HEXADECIMAL, decoded, paths

# Per entry and member, so that the run stays bounded.
QUERIES_MAX = 40
SUBJECT_MAX = 512
ADDRESS = re.compile(rb"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+[A-Za-z0-9]")
WORDS = re.compile(rb"[A-Za-z][!-~]{4,80}")
FORMATS = ("x509", "pgp", "minisign", "ssh", "tuf")


@dataclass(frozen=True)
class Query:
    """One question; `member` names its sort in reports."""

    member: str
    title: str
    body: dict[str, object]


def text_query(member: str, text: str) -> Query:
    """By hash, email or subject."""
    return Query(member, text, {member: text})


def dearmored(raw: bytes) -> bytes:
    """What is inside PEM or PGP's armour, as far as it can be read; otherwise the bytes."""
    blocks = re.findall(rb"-----BEGIN [^\n]*\n(.*?)-----END ", raw, re.DOTALL)
    inside = b""
    for block in blocks:
        digits = b"".join(row for row in block.split() if b":" not in row and row[:1] != b"=")
        try:
            inside += base64.b64decode(digits + b"=" * (-len(digits) % 4))
        except binascii.Error:
            continue
    return inside or raw


def contents(proposal: object) -> Iterator[bytes]:
    """The bytes of each member that is base64, and what is inside those."""
    for _, member in paths(proposal):
        if not isinstance(member, str):
            continue
        raw = decoded(member) if not member.startswith("{") else member.encode()
        if raw is None:
            continue
        yield raw
        if (inside := dearmored(raw)) != raw:
            yield inside
        yield from within_json(raw)


def within_json(raw: bytes) -> Iterator[bytes]:
    """Payloads of envelopes."""
    try:
        value = json.loads(raw)
    except ValueError:
        return
    for _, member in paths(value):
        if isinstance(member, str) and (inner := decoded(member)) is not None:
            yield inner


def statement_digests(raw: bytes) -> Iterator[str]:
    """`algorithm:digest` of each digest in a statement, or in any other JSON."""
    try:
        value = json.loads(raw)
    except ValueError:
        return
    for path, member in paths(value):
        if len(path) > 1 and path[-2] == "digest" and isinstance(member, str):
            yield f"{path[-1]}:{member}"


def leaves(body: str) -> list[str]:
    """Each text or number of a canonical body."""
    found = [member for _, member in paths(json.loads(body))]
    return [str(member) for member in found if isinstance(member, str | int | float)]


def about(proposal: dict[str, object], body: str) -> list[Query]:
    """All questions about one entry: its proposal and its canonical body."""
    raws = list(contents(proposal))
    texts = leaves(body)
    return [
        *by_hash(raws, texts),
        *by_subject(raws, texts),
        *by_email(raws),
        *by_key(proposal),
    ]


def capped(member: str, texts: list[str]) -> Iterator[Query]:
    """As queries, each once."""
    for text in list(dict.fromkeys(texts))[:QUERIES_MAX]:
        yield text_query(member, text)


def by_hash(raws: list[bytes], texts: list[str]) -> Iterator[Query]:
    """Digests in the body, as they are and in capitals, and of everything that was sent."""
    digests = [text for text in texts if HEXADECIMAL.fullmatch(text.lower())]
    digests += [digest.upper() for digest in digests[:2]]
    digests += [f"sha256:{digest}" for digest in digests if len(digest) == 64]
    digests += [hashlib.sha256(raw).hexdigest() for raw in raws]
    digests += [hashlib.sha256(decoded(text) or b"").hexdigest() for text in texts]
    yield from capped("hash", digests)


def by_subject(raws: list[bytes], texts: list[str]) -> Iterator[Query]:
    """Texts of the body, words of what was sent, and digests of statements."""
    subjects = [text for text in texts if 0 < len(text) <= SUBJECT_MAX]
    for raw in raws:
        subjects += list(statement_digests(raw))
    for raw in raws:
        subjects += [word.decode() for word in WORDS.findall(raw)[:10]]
    yield from capped("subject", subjects)


def by_email(raws: list[bytes]) -> Iterator[Query]:
    """Addresses in keys and certificates, as they are and in lower case."""
    found = [address.decode() for raw in raws for address in ADDRESS.findall(raw)]
    found += [address.lower() for address in found]
    yield from capped("email", found)


def by_key(proposal: dict[str, object]) -> Iterator[Query]:
    """The first key, in each format that there is."""
    named = {"publicKey", "verifiers", "root"}
    keys = [member for path, member in paths(proposal) if named & set(path)]
    first = next((key for key in keys if isinstance(key, str)), None)
    if first is None:
        return
    for kind in FORMATS:
        key = {"format": kind, "content": first}
        yield Query(f"publicKey.{kind}", kind, {"publicKey": key})
