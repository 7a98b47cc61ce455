"""Seeds for the fuzz targets: seeds.py FIXTURES CORPUS writes CORPUS/TARGET/NAME of each fixture."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

SEED_BYTES_MAX = 65536


def framed(*parts: bytes) -> bytes:
    """As `parts` in src/lib.rs reads it."""
    lengths = b"".join(struct.pack("<I", len(part)) for part in parts[:-1])
    return lengths + b"".join(parts)


def seed(fields: dict[str, str], read) -> tuple[str, bytes] | None:
    """The target of a fixture, and its input."""
    kind, form = fields["kind"], fields.get("format")
    if kind == "rekord" and form in ("pgp", "minisign", "ssh"):
        files = read("signature"), read("key"), read("artifact")
        if form == "pgp":
            return "pgp", framed(*files)
        return "small_keys", framed(b"\1" if form == "ssh" else b"\0", *files)
    if kind in ("rpm", "alpine", "helm", "tuf"):
        return kind, framed(read("key"), read("artifact"))
    if kind == "cose":
        return kind, framed(read("key"), read("aad"), read("artifact"))
    if kind in ("jar", "rfc3161"):
        return kind, read("artifact")
    return None


def main(fixtures: Path, corpus: Path) -> None:
    """All that are small enough."""
    count = 0
    for line in (fixtures / "index.jsonl").read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)

        def read(name: str, fields: dict[str, str] = fields) -> bytes:
            return (fixtures / fields[name]).read_bytes() if name in fields else b""

        found = seed(fields, read)
        if found and len(found[1]) <= SEED_BYTES_MAX:
            folder = corpus / found[0]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / fields["name"]).write_bytes(found[1])
            count += 1
    print(f"{count} seeds in {corpus}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
