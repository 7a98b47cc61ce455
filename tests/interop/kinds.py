"""The fixtures that rekor-cli is driven with: kinds.py FIXTURES prints one a line, tab-separated.

Columns: row of the table, name, flags of `upload` and `verify`, and then `title=flags` of each
search that has to find it; flags are joined by U+001F.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path

# A row of the table (kind, version, key format), and its fixtures.
ROWS = {
    "hashedrekord 0.0.1|x509 key": ["hashedrekord-p256-sha256", "hashedrekord-rsa-4096-sha256"],
    "hashedrekord 0.0.1|x509 certificate": ["hashedrekord-cert-san-email"],
    "rekord 0.0.1|x509 key": ["rekord-x509-p256", "rekord-x509-rsa-3072", "rekord-x509-ed25519"],
    "rekord 0.0.1|x509 certificate": ["rekord-cert-san-email", "rekord-cert-chain-3"],
    "rekord 0.0.1|pgp": [
        "rekord-pgp-rsa2048",
        "rekord-pgp-ed25519",
        "rekord-pgp-nistp384",
        "rekord-pgp-binary",
        "rekord-pgp-binary-key",
        "rekord-pgp-text-mode",
        "rekord-pgp-signing-subkey",
        "rekord-pgp-expired-key",
    ],
    "rekord 0.0.1|minisign": [
        "rekord-minisign-prehashed",
        "rekord-minisign-legacy",
        "rekord-minisign-signify",
    ],
    "rekord 0.0.1|ssh": ["rekord-ssh-rsa-3072", "rekord-ssh-ecdsa-256", "rekord-ssh-ed25519"],
    "dsse 0.0.1|x509 key": ["dsse-by-p256", "dsse-by-ed25519", "dsse-five"],
    "intoto 0.0.1|x509 key": ["intoto-0.0.1-by-p256", "intoto-0.0.1-by-rsa"],
    "intoto 0.0.2|x509 key": ["intoto-0.0.2-by-p256", "intoto-0.0.2-two"],
    "rpm 0.0.1|pgp": ["rpm-gzip", "rpm-zstd", "rpm-v3", "rpm-by-ed25519", "rpm-digest-sha1"],
    "helm 0.0.1|pgp": ["helm-usual", "helm-images"],
    "alpine 0.0.1|x509 key": ["alpine-rsa", "alpine-ec", "alpine-info-comments"],
    "jar 0.0.1|(PKCS #7 within)": ["jar-rsa", "jar-ec", "jar-digest-sha1", "jar-nested"],
    "cose 0.0.1|x509 key": ["cose-es256", "cose-ps256", "cose-aad", "cose-type-intoto"],
    "tuf 0.0.1|tuf": ["tuf-root-ed25519", "tuf-timestamp-ecdsa", "tuf-targets", "tuf-hex-root"],
    "rfc3161 0.0.1|(certificate within)": ["rfc3161-openssl-rsa", "rfc3161-openssl-ec"],
}
PKI = {"rpm": "pgp", "helm": "pgp", "tuf": "tuf"}


def main(folder: Path) -> None:
    """All rows; a fixture that is not there is an error."""
    with open(folder / "index.jsonl", encoding="utf-8") as index:
        fixtures = {fields["name"]: fields for fields in map(json.loads, index)}
    for row, names in ROWS.items():
        for name in names:
            columns = [row, name, join(upload(fixtures[name], folder))]
            columns += [f"{title}={join(flags)}" for title, flags in searches(fixtures[name], folder)]
            print("\t".join(columns))


def join(flags: list[str]) -> str:
    return "\x1f".join(flags)


def upload(fields: dict[str, str], folder: Path) -> list[str]:
    """What rekor-cli makes the proposal of."""
    flags = ["--type", f"{fields['kind']}:{fields['version']}"]
    flags += ["--artifact", str(folder / fields["artifact"])]
    if "signature" in fields:
        flags += ["--signature", str(folder / fields["signature"])]
    for key in keys(fields, folder):
        flags += ["--public-key", key]
    if "format" in fields or fields["kind"] in PKI:
        flags += ["--pki-format", pki(fields)]
    if "aad" in fields:
        flags += ["--aad", base64.b64encode((folder / fields["aad"]).read_bytes()).decode()]
    return flags


def keys(fields: dict[str, str], folder: Path) -> list[str]:
    """One or, for envelopes, any number."""
    if "key" in fields:
        return [str(folder / fields["key"])]
    return [str(folder / key) for key in fields["keys"].split(",")] if "keys" in fields else []


def pki(fields: dict[str, str]) -> str:
    return fields.get("format") or PKI.get(fields["kind"], "x509")


def searches(fields: dict[str, str], folder: Path) -> list[tuple[str, list[str]]]:
    """By what the entry has to be found."""
    found: list[tuple[str, list[str]]] = []
    kind, artifact = fields["kind"], folder / fields["artifact"]
    if kind == "helm":
        chart = re.search(r"sha256:([0-9a-f]{64})", artifact.read_text(encoding="utf-8"))
        found.append(("hash", ["--sha", chart[1] if chart else ""]))
    elif kind != "tuf" and fields["version"] != "0.0.2":  # Rekor does not index its envelope
        found.append(("artifact", ["--artifact", str(artifact)]))
    if kind in ("dsse", "intoto"):
        payload = base64.b64decode(json.loads(artifact.read_text(encoding="utf-8"))["payload"])
        digest = json.loads(payload)["subject"][0]["digest"]["sha256"]
        found.append(("subject", ["--sha", digest]))
    for key in keys(fields, folder)[:1]:
        found.append(("key", ["--public-key", key, "--pki-format", pki(fields)]))
    if pki(fields) == "pgp":
        found.append(("e-mail", ["--email", f"{Path(fields['key']).stem}@example.com"]))
    elif fields["name"].endswith("-san-email"):
        found.append(("e-mail", ["--email", "alice@example.com"]))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
