"""Mutations of any proposal: each member missing, of another type, or encoded in another way."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import re
from collections.abc import Callable, Iterator

Path = tuple[str | int, ...]
Changed = Iterator[tuple[str, object]]
HEXADECIMAL = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})")
OTHER_TYPES: list[tuple[str, object]] = [
    ("null", None),
    ("number", 7),
    ("true", True),
    ("empty-text", ""),
    ("text", "some text"),
    ("list", []),
    ("object", {}),
]
ENCODINGS: list[tuple[str, Callable[[str], str]]] = [
    ("without-padding", lambda text: text.rstrip("=")),
    ("cut", lambda text: text[:-1]),
    ("cut-by-4", lambda text: text[:-4]),
    ("one-more", lambda text: text + "A"),
    ("more-after-padding", lambda text: text + "AAAA"),
    ("crlf", lambda text: "\r\n".join(text[at : at + 60] for at in range(0, len(text), 60))),
    ("line-end", lambda text: text + "\n"),
    ("space", lambda text: " " + text),
    ("space-inside", lambda text: text[:8] + " " + text[8:]),
    ("tab", lambda text: text + "\t"),
    ("urlsafe", lambda text: text.replace("+", "-").replace("/", "_")),
    ("no-base64", lambda text: "%%%" + text[3:]),
    ("loose-bits", lambda text: loosen(text)),
    ("padding-alone", lambda text: "===="),
    ("empty-line", lambda text: "\n"),
]
CONTENTS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("first-bit", lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
    ("middle-bit", lambda raw: flip(raw, len(raw) // 2)),
    ("last-bit", lambda raw: flip(raw, len(raw) - 1)),
    ("first-half", lambda raw: raw[: len(raw) // 2]),
    ("last-byte-missing", lambda raw: raw[:-1]),
    ("zero-after", lambda raw: raw + b"\0"),
    ("line-end-after", lambda raw: raw + b"\n"),
    ("line-end-before", lambda raw: b"\n" + raw),
    ("twice", lambda raw: raw + raw),
    ("one-zero", lambda raw: b"\0"),
    ("one-space", lambda raw: b" "),
]


def flip(raw: bytes, at: int) -> bytes:
    """One bit of that byte."""
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def loosen(text: str) -> str:
    """Sets bits of the last digit that no byte has; the text itself if there are none."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    digits = text.rstrip("=")
    if digits == text:
        return text
    return digits[:-1] + alphabet[alphabet.index(digits[-1]) | 1] + text[len(digits) :]


def decoded(text: str) -> bytes | None:
    """The bytes of a text that is base64 and long enough not to be so by chance."""
    if len(text) < 24 or HEXADECIMAL.fullmatch(text):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def paths(value: object, at: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every member, and every element of a list, with where it is; those above come first."""
    inside: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    for name, member in inside:
        yield (*at, name), member
        yield from paths(member, (*at, name))


def holder(value: object, path: Path) -> object:
    """What holds the member."""
    for name in path[:-1]:
        value = value[name]  # type: ignore[index]
    return value


def replaced(value: object, path: Path, member: object) -> object:
    """A copy with another member there."""
    value = copy.deepcopy(value)
    holder(value, path)[path[-1]] = member  # type: ignore[index]
    return value


def without(value: object, path: Path) -> object:
    """A copy that lacks that member."""
    value = copy.deepcopy(value)
    del holder(value, path)[path[-1]]  # type: ignore[attr-defined]
    return value


def title(path: Path) -> str:
    """A path as part of a case's name."""
    return ".".join(str(part) for part in path)


def variants(proposal: dict[str, object]) -> Changed:
    """All of them."""
    yield from whole(proposal)
    for path, member in paths(proposal):
        name = title(path)
        yield f"{name}:missing", without(proposal, path)
        for kind, other in OTHER_TYPES:
            yield f"{name}:{kind}", replaced(proposal, path, other)
        if isinstance(member, dict):
            yield f"{name}:unknown-member", replaced(proposal, path, {**member, "unknown": 1})
        if isinstance(member, list):
            yield f"{name}:twice", replaced(proposal, path, member + member)
            yield f"{name}:null-inside", replaced(proposal, path, [*member, None])
        if isinstance(member, str):
            yield from of_text(proposal, path, member)
    yield from hashes(proposal)


def of_text(proposal: object, path: Path, text: str) -> Changed:
    """Another spelling, or another content of base64."""
    raw, name = decoded(text), title(path)
    if raw is None:
        yield f"{name}:upper-case", replaced(proposal, path, text.upper())
        yield f"{name}:space-after", replaced(proposal, path, text + " ")
        if HEXADECIMAL.fullmatch(text):
            yield from of_digest(proposal, path, text)
        return
    for kind, encode in ENCODINGS:
        other = encode(text)
        if other != text:
            yield f"{name}:{kind}", replaced(proposal, path, other)
    for kind, change in CONTENTS:
        other = base64.b64encode(change(raw)).decode()
        yield f"{name}:{kind}", replaced(proposal, path, other)


def of_digest(proposal: object, path: Path, text: str) -> Changed:
    """A hexadecimal digest that is another, or none."""
    name = title(path)
    for kind, other in [
        ("prefixed", f"sha256:{text}"),
        ("short", text[:-2]),
        ("odd", text[:-1]),
        ("long", text + "00"),
        ("no-hexadecimal", "z" + text[1:]),
        ("other", "".join("0123456789abcdef"[15 - int(digit, 16)] for digit in text)),
        ("as-of-sha1", text[:40]),
        ("as-of-sha512", (text * 4)[:128]),
    ]:
        yield f"{name}:{kind}", replaced(proposal, path, other)


def whole(proposal: dict[str, object]) -> Changed:
    """Kind, version and spelling of the three members."""
    for kind in ("unknown", "ProposedEntry", "rekord", "hashedrekord", "dsse"):
        if kind != proposal["kind"]:
            yield f"kind:{kind}", {**proposal, "kind": kind}
    for version in ("0.0.2", "0.0.9", "v0.0.1", "0.0.1-rc1", "0.0", "1", "0.0.1\n"):
        if version != proposal["apiVersion"]:
            yield f"apiVersion:{version!r}", {**proposal, "apiVersion": version}
    yield "capitals", {name.upper(): value for name, value in proposal.items()}
    yield "unknown-member", {**proposal, "unknown": {"a": [1]}}
    spec = proposal["spec"]
    assert isinstance(spec, dict)
    yield "spec-capitals", {**proposal, "spec": {k.upper(): v for k, v in spec.items()}}


def hashes(proposal: dict[str, object]) -> Changed:
    """A digest beside contents that did without it, right and wrong."""
    spec = proposal["spec"]
    assert isinstance(spec, dict)
    for member in ("data", "archive", "package", "chart", "tsr", "metadata"):
        value = spec.get(member)
        if not isinstance(value, dict) or not isinstance(value.get("content"), str):
            continue
        good = hashlib.sha256(base64.b64decode(value["content"])).hexdigest()
        for name, algorithm, digest in [
            ("right", "sha256", good),
            ("upper-case", "sha256", good.upper()),
            ("wrong", "sha256", good[::-1]),
            ("short", "sha256", good[:-2]),
            ("empty", "sha256", ""),
            ("sha512", "sha512", good + good),
            ("unknown", "md5", good),
        ]:
            declared = {"hash": {"algorithm": algorithm, "value": digest}}
            path = ("spec", member)
            yield f"{member}.hash:{name}", replaced(proposal, path, {**value, **declared})
            only = {key: item for key, item in value.items() if key != "content"}
            yield f"{member}.hash-alone:{name}", replaced(proposal, path, {**only, **declared})
