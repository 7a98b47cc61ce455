"""The cases: each fixture as it is, then the mutations of those that stand for their kind."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import envelopes
import keys
import members
import texts

Proposal = dict[str, object]

# What is mutated: for each kind and format one or two fixtures that Rekor takes.
MODELS = (
    "hashedrekord-p256-sha256",
    "hashedrekord-rsa-2048-sha256",
    "hashedrekord-cert-chain-3",
    "rekord-x509-p256",
    "rekord-x509-ed25519",
    "rekord-pgp-rsa2048",
    "rekord-minisign-prehashed",
    "rekord-ssh-ed25519",
    "dsse-by-p256",
    "dsse-two",
    "intoto-0.0.1-by-p256",
    "intoto-0.0.2-by-p256",
    "intoto-0.0.2-two",
    "rpm-gzip",
    "jar-rsa",
    "alpine-rsa",
    "helm-usual",
    "tuf-timestamp-ed25519",
    "cose-es256",
    "cose-aad",
    "rfc3161-openssl-rsa",
)


@dataclass(frozen=True)
class Case:
    """One request for a new entry, sent to both servers."""

    name: str
    # Cases of a group follow each other: which of two equal ones is the second is no chance.
    group: str
    body: bytes
    # What the fixture says that Rekor does: `ok` or `refused`; empty for mutations.
    expected: str = ""
    # None is JSON's.
    content_type: str | None = None

    def proposal(self) -> Proposal | None:
        """The entry that is proposed, or None if the body is no JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def group_of(fields: dict[str, str]) -> str:
    """The kind, with its version or format where it has several."""
    kind = fields["kind"]
    if kind == "intoto":
        return f"intoto-{fields['version']}"
    return f"{kind}-{fields['format']}" if "format" in fields else kind


def mutations(model: str, group: str, proposal: Proposal, others: dict[str, Proposal]) -> Iterator[
    tuple[str, bytes, str | None]
]:
    """Name, body and content type of each."""
    changed = [
        *members.variants(proposal),
        *keys.variants(proposal),
        *envelopes.variants(proposal),
        *keys.exchanged(proposal, others),
    ]
    for name, value in changed:
        yield f"{model}/{name}", json.dumps(value).encode(), None
    for name, body in texts.spellings(proposal):
        yield f"{model}/{name}", body, None
    if group == "hashedrekord":
        for name, content_type in texts.CONTENT_TYPES:
            yield f"{model}/{name}", json.dumps(proposal).encode(), content_type


def load(fixtures: Path, pattern: str) -> list[Case]:
    """All cases whose names match, a group's in their order."""
    found: list[Case] = []
    index = (fixtures / "index.jsonl").read_text(encoding="utf-8").splitlines()
    rows: dict[str, dict[str, str]] = {row["name"]: row for row in map(json.loads, index)}
    proposals: dict[str, Proposal] = {}
    for name, row in rows.items():
        body = (fixtures / row["proposal"]).read_bytes()
        proposals[name] = json.loads(body)
        found.append(Case(name, group_of(row), body, row["expected"]))
    for model in MODELS:
        if model not in rows:
            raise SystemExit(f"differential: the fixtures have no {model}")
        group = group_of(rows[model])
        others = {name: value for name, value in proposals.items() if name in MODELS}
        seen: set[str] = set()
        for name, body, content_type in mutations(model, group, proposals[model], others):
            if name in seen:
                raise AssertionError(f"two mutations are called {name}")
            seen.add(name)
            found.append(Case(name, group, body, "", content_type))
    for name, body in texts.BODIES:
        found.append(Case(f"request/{name}", "request", body))
    return [case for case in found if fnmatch.fnmatchcase(case.name, pattern)]
