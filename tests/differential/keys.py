"""Mutations of keys and signatures: PEM as people mangle it, keys exchanged, `r‖s` signatures."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

from members import Changed, Path, decoded, paths, replaced, title

Proposal = dict[str, object]


def lines(text: str) -> list[str]:
    """Without line ends."""
    return text.rstrip("\n").split("\n")


def rewrapped(text: str, width: int) -> str:
    """The same PEM with other lines."""
    first, *middle, last = lines(text)
    digits = "".join(middle)
    wrapped = [digits[at : at + width] for at in range(0, len(digits), width)]
    return "\n".join([first, *wrapped, last]) + "\n"


def single(change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    """Of the lines of a PEM."""
    return lambda text: "\n".join(change(lines(text))) + "\n"


PEM: list[tuple[str, Callable[[str], str]]] = [
    ("no-line-end", lambda text: text.rstrip("\n")),
    ("more-line-ends", lambda text: text + "\n\n \n"),
    ("spaces-before", lambda text: " \n\t\n" + text),
    ("words-before", lambda text: "some words\n" + text),
    ("words-before-in-line", lambda text: "some words " + text),
    ("words-after", lambda text: text + "some words\n"),
    ("crlf", lambda text: text.replace("\n", "\r\n")),
    ("cr", lambda text: text.replace("\n", "\r")),
    ("long-lines", lambda text: rewrapped(text, 76)),
    ("short-lines", lambda text: rewrapped(text, 20)),
    ("one-line", lambda text: rewrapped(text, 1 << 20)),
    ("indented", single(lambda rows: ["  " + row for row in rows])),
    ("indented-inside", single(lambda rows: [rows[0], *["  " + r for r in rows[1:-1]], rows[-1]])),
    ("spaces-at-ends", single(lambda rows: [row + "  " for row in rows])),
    ("empty-lines", single(lambda rows: [rows[0], "", *rows[1:-1], "", rows[-1]])),
    ("header", single(lambda rows: [rows[0], "Comment: a header", "", *rows[1:]])),
    ("header-no-gap", single(lambda rows: [rows[0], "Comment: a header", *rows[1:]])),
    ("twice", lambda text: text + text),
    ("lower-case-label", lambda text: re.sub("-----.*-----", lambda m: m[0].lower(), text)),
    ("other-label", lambda text: text.replace(" KEY", " KEYS").replace("CATE-", "CATES-")),
    ("rsa-label", lambda text: text.replace(" PUBLIC KEY", " RSA PUBLIC KEY")),
    ("key-as-certificate", lambda text: text.replace("PUBLIC KEY", "CERTIFICATE")),
    ("trusted-label", lambda text: text.replace("CERTIFICATE", "TRUSTED CERTIFICATE")),
    ("other-end", lambda text: text.replace("-----END ", "-----END X", 1)),
    ("no-end", lambda text: text[: text.index("-----END")]),
    ("four-dashes", lambda text: text.replace("-----", "----")),
    ("six-dashes", lambda text: text.replace("-----", "------")),
    ("no-padding", lambda text: text.replace("=\n", "\n").replace("=\n", "\n")),
    ("nul-after", lambda text: text + "\0"),
    ("bom", lambda text: "\ufeff" + text),
    ("empty-block", single(lambda rows: [rows[0], rows[-1]])),
    ("no-base64", single(lambda rows: [rows[0], "%" + rows[1][1:], *rows[2:]])),
    ("text-alone", lambda text: "some words"),
    ("spaces-alone", lambda text: " \n "),
]


def pem_members(proposal: object) -> Iterator[tuple[Path, str]]:
    """Members that are base64 of PEM (or of PGP's and SSH's armour)."""
    for path, member in paths(proposal):
        raw = decoded(member) if isinstance(member, str) else None
        if raw is not None and raw.startswith(b"-----BEGIN") and raw.isascii():
            yield path, raw.decode()


def encoded(text: str | bytes) -> str:
    """Base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def variants(proposal: Proposal) -> Changed:
    """All of one proposal."""
    for path, text in pem_members(proposal):
        for name, change in PEM:
            other = change(text)
            if other != text:
                yield f"{title(path)}:pem-{name}", replaced(proposal, path, encoded(other))
    yield from raw_signatures(proposal)


def halves(der: bytes) -> tuple[int, int] | None:
    """`r` and `s` of an ECDSA signature in DER with short lengths, or None."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2 or der[2] != 2:
        return None
    middle = 4 + der[3]
    if der[middle : middle + 1] != b"\x02" or middle + 2 + der[middle + 1] != len(der):
        return None
    return int.from_bytes(der[4:middle], "big"), int.from_bytes(der[middle + 2 :], "big")


def integer(value: int, padding: int = 0) -> bytes:
    """A DER INTEGER, with so many zero bytes too many."""
    raw = bytes(padding) + value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(raw)]) + raw


def raw_signatures(proposal: Proposal) -> Changed:
    """An ECDSA signature in its other forms: `r‖s`, and DER that is not the shortest."""
    for path, member in paths(proposal):
        raw = decoded(member) if isinstance(member, str) else None
        found = halves(raw) if raw is not None else None
        if found is None or max(found).bit_length() > 256:
            continue
        r, s = found
        pair = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        long_form = integer(r, 1) + integer(s)
        for name, other in [
            ("r-s", pair),
            ("r-s-wide", r.to_bytes(33, "big") + s.to_bytes(33, "big")),
            ("r-s-odd", pair + b"\0"),
            ("s-r", pair[32:] + pair[:32]),
            ("der-padded", b"\x30" + bytes([len(long_form)]) + long_form),
            ("der-long-length", b"\x30\x81" + raw[1:]),
            ("r-zero", integer(0) + integer(s)),
        ]:
            yield f"{title(path)}:{name}", replaced(proposal, path, encoded(other))


def exchanged(proposal: Proposal, others: dict[str, Proposal]) -> Changed:
    """The key of each other proposal in place of this one's."""
    mine = list(key_members(proposal))
    for name, other in others.items():
        theirs = [text for _, text in key_members(other)]
        if mine and theirs and theirs[0] != mine[0][1]:
            yield f"key-of:{name}", replaced(proposal, mine[0][0], theirs[0])


def key_members(proposal: Proposal) -> Iterator[tuple[Path, str]]:
    """The keys, as they are in the proposal."""
    for path, member in paths(proposal):
        if isinstance(member, str) and {"publicKey", "verifiers", "root"} & set(path):
            yield path, member
