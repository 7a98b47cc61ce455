"""The cases: every fixture as it is, and one of each sort in all the ways that it can be spoilt."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Fixtures whose proposals are taken apart, one of each kind, version and key format.
SPOILT = (
    "hashedrekord-p256-sha256",
    "rekord-x509-p256",
    "rekord-pgp-rsa2048",
    "rekord-minisign-prehashed",
    "rekord-ssh-ed25519",
    "dsse-by-p256",
    "intoto-0.0.1-by-p256",
    "intoto-0.0.2-by-p256",
    "rpm-gzip",
    "helm-usual",
    "alpine-rsa",
    "jar-rsa",
    "cose-aad",
    "tuf-timestamp-ed25519",
    "rfc3161-openssl-ec",
)
SEARCH_FORMATS = {"rekord": None, "rpm": "pgp", "helm": "pgp", "tuf": "tuf"}


@dataclass
class Case:
    """A proposal, what it is called, and what to search for once it is in."""

    name: str
    kind: str
    proposal: dict[str, object]
    expected: str = ""
    queries: dict[str, dict[str, object]] = field(default_factory=dict)


def load(folder: Path) -> Iterator[Case]:
    """Every fixture of a folder that tests/fixtures/make.sh has filled."""
    with open(folder / "index.jsonl", encoding="utf-8") as index:
        for line in index:
            fields = json.loads(line)
            proposal = json.loads((folder / fields["proposal"]).read_text(encoding="utf-8"))
            yield Case(
                fields["name"],
                fields["kind"],
                proposal,
                fields["expected"],
                queries(fields, folder),
            )


def queries(fields: dict[str, str], folder: Path) -> dict[str, dict[str, object]]:
    """Searches by what the fixture is of, whether or not they should find it."""
    made: dict[str, dict[str, object]] = {}
    artifact = (folder / fields["artifact"]).read_bytes()
    for algorithm in ("sha1", "sha256", "sha512"):
        made[f"artifact by {algorithm}"] = {"hash": f"{algorithm}:{digest(algorithm, artifact)}"}
    if "key" in fields:
        key = (folder / fields["key"]).read_bytes()
        known = fields.get("format") or SEARCH_FORMATS.get(fields["kind"]) or "x509"
        content = base64.b64encode(key).decode()
        made["key"] = {"publicKey": {"format": known, "content": content}}
        made["email"] = {"email": f"{Path(fields['key']).stem}@example.com"}
    return made


def digest(algorithm: str, content: bytes) -> str:
    """In hex."""
    import hashlib

    return hashlib.new(algorithm, content).hexdigest()


def spoilt(case: Case) -> Iterator[Case]:
    """The same proposal with one thing about it changed."""
    if case.name not in SPOILT:
        return
    for path in paths(case.proposal):
        label = ".".join(path)
        old = at(case.proposal, path)
        for how, value in values(path, old):
            yield changed(case, f"{label}: {how}", path, value)
    for path in (("spec", "unknown"), ("unknown",)):
        yield changed(case, f"{'.'.join(path)}: added", path, {"url": "http://127.0.0.1:9/x"})


def changed(case: Case, how: str, path: tuple[str, ...], value: object) -> Case:
    """One member set; `DROP` takes it out."""
    proposal = copy.deepcopy(case.proposal)
    parent = at(proposal, path[:-1])
    if value is DROP:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return Case(f"{case.name} / {how}", case.kind, proposal)


DROP = object()


def paths(value: object, here: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of every member of every object; of a TUF document or an envelope only the whole."""
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        yield (*here, name)
        yield from paths(member, (*here, name))


def at(value: object, path: tuple[str, ...]) -> dict[str, object]:
    """What stands at a path."""
    for name in path:
        value = value[name]  # type: ignore[index]
    return value  # type: ignore[return-value]


def values(path: tuple[str, ...], old: object) -> Iterator[tuple[str, object]]:
    """What to put there instead."""
    yield "dropped", DROP
    yield "null", None
    yield "a number", 5
    yield "an object", {}
    yield "a list", []
    yield "empty", ""
    yield "text", "text"
    if not isinstance(old, str) or path[-1] in ("kind", "apiVersion", "format", "algorithm"):
        return
    if path[-1] == "value":
        yield "in capitals", old.upper()
        yield "of something else", "0" * len(old)
        yield "cut", old[:-1]
        yield "no hexadecimal", "g" + old[1:]
    elif path[-1] not in ("envelope", "payloadType"):
        yield "cut", old[:-1]
        yield "cut by four", old[:-4]
        yield "with line ends", "\r\n".join(old[at : at + 64] for at in range(0, len(old), 64))
        yield "with a bad letter", "*" + old[1:]
        yield "of something else", base64.b64encode(b"something else").decode()
        yield "with spaces around it", f" {old} "
        yield "longer", base64.b64encode(base64.b64decode(old) + b"\n").decode()
