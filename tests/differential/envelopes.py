"""Mutations of DSSE envelopes within dsse and intoto entries, and of intoto 0.0.2's base64."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator

from keys import encoded, halves
from members import Changed, decoded, paths, replaced, without

Proposal = dict[str, object]
ZEROS = "0" * 64


def variants(proposal: Proposal) -> Changed:
    """All of one proposal, if it has an envelope."""
    spec = proposal["spec"]
    assert isinstance(spec, dict)
    kind, version = proposal["kind"], proposal["apiVersion"]
    if kind == "dsse":
        yield from of_text(proposal, ("spec", "proposedContent", "envelope"))
        yield from verifiers(proposal, spec["proposedContent"]["verifiers"])
        yield from both_forms(proposal, spec)
    elif kind == "intoto" and version == "0.0.1":
        yield from of_text(proposal, ("spec", "content", "envelope"))
        yield from intoto_001(proposal, spec)
    elif kind == "intoto":
        yield from intoto_002(proposal, spec)


def of_text(proposal: Proposal, path: tuple[str, ...]) -> Changed:
    """The envelope as another text."""
    text = proposal
    for name in path:
        text = text[name]  # type: ignore[assignment]
    assert isinstance(text, str)
    for name, other in spellings(text):
        yield f"envelope:{name}", replaced(proposal, path, other)
    envelope = json.loads(text)
    for name, other in changed(envelope):
        yield f"envelope:{name}", replaced(proposal, path, json.dumps(other))


def spellings(text: str) -> Iterator[tuple[str, str]]:
    """The same JSON, or nearly so."""
    envelope = json.loads(text)
    yield "compact", json.dumps(envelope, separators=(",", ":"))
    yield "sorted", json.dumps(envelope, sort_keys=True, separators=(",", ":"))
    yield "indented", json.dumps(envelope, indent=1)
    yield "line-end-after", text + "\n"
    yield "words-after", text + " words"
    yield "second-after", text + text
    yield "bom", "\ufeff" + text
    yield "cut", text[:-1]
    yield "capitals", json.dumps({k.upper(): v for k, v in envelope.items()})
    yield "payload-twice", text[:-1] + ', "payload": "e30="}'
    yield "type-first-other", '{"payloadType": "other", ' + text[1:]
    yield "escaped", text.replace("/", "\\/").replace("=", "\\u003d")
    yield "list", f"[{text}]"
    yield "null", "null"
    yield "object", "{}"
    yield "words", "words"


def changed(envelope: dict[str, object]) -> Changed:
    """Members of the envelope missing, of other types, or encoded in another way."""
    yield "unknown-member", {**envelope, "unknown": {"a": 1}}
    for path, member in paths(envelope):
        name = ".".join(str(part) for part in path)
        yield f"{name}:missing", without(envelope, path)
        for kind, other in [("null", None), ("number", 7), ("empty", ""), ("object", {})]:
            yield f"{name}:{kind}", replaced(envelope, path, other)
        if isinstance(member, str) and (raw := decoded(member)) is not None:
            yield from of_base64(envelope, path, name, raw)
    signatures = envelope["signatures"]
    assert isinstance(signatures, list)
    yield "signature-twice", {**envelope, "signatures": signatures + signatures}
    yield "signatures-reversed", {**envelope, "signatures": signatures[::-1] + [signatures[0]]}
    yield "other-signature-after", {**envelope, "signatures": [*signatures, {"sig": "AAAA"}]}
    yield "other-signature-first", {**envelope, "signatures": [{"sig": "AAAA"}, *signatures]}
    for keyid in ("me", "", "SHA256:" + "A" * 43):
        yield f"keyid:{keyid or 'empty'}", {
            **envelope,
            "signatures": [{**signature, "keyid": keyid} for signature in signatures],
        }
    for kind in ("application/vnd.in-toto+json;x=1", "application/json", "ü"):
        yield f"type:{kind}", {**envelope, "payloadType": kind}


def of_base64(envelope: object, path: tuple[str | int, ...], name: str, raw: bytes) -> Changed:
    """Payload or signature."""
    for kind, other in [
        ("urlsafe", base64.urlsafe_b64encode(raw).decode()),
        ("urlsafe-no-padding", base64.urlsafe_b64encode(raw).decode().rstrip("=")),
        ("no-padding", encoded(raw).rstrip("=")),
        ("line-ends", encoded(raw)[:8] + "\n" + encoded(raw)[8:] + "\r\n"),
        ("space", " " + encoded(raw)),
        ("mixed-alphabets", "-_+/" + encoded(raw)[4:]),
        ("hexadecimal", raw.hex()),
        ("twice", encoded(encoded(raw))),
        ("longer", encoded(raw + b"\0")),
    ]:
        yield f"{name}:{kind}", replaced(envelope, path, other)
    if (found := halves(raw)) is not None and max(found).bit_length() <= 256:
        pair = b"".join(half.to_bytes(32, "big") for half in found)
        yield f"{name}:r-s", replaced(envelope, path, encoded(pair))


def verifiers(proposal: Proposal, keys: list[str]) -> Changed:
    """Keys in another order, repeated, or with junk between them."""
    junk = encoded("junk")
    for name, other in [
        ("reversed", keys[::-1]),
        ("repeated", keys + keys),
        ("junk-after", [*keys, junk]),
        ("junk-first", [junk, *keys]),
        ("first-alone", keys[:1]),
        ("last-alone", keys[-1:]),
    ]:
        yield f"verifiers:{name}", replaced(proposal, ("spec", "proposedContent", "verifiers"), other)


def stored(spec: dict[str, object]) -> dict[str, object]:
    """The members that the log keeps of a dsse entry."""
    content = spec["proposedContent"]
    assert isinstance(content, dict)
    envelope = json.loads(content["envelope"])
    digest = hashlib.sha256(content["envelope"].encode()).hexdigest()
    payload = hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()
    return {
        "envelopeHash": {"algorithm": "sha256", "value": digest},
        "payloadHash": {"algorithm": "sha256", "value": payload},
        "signatures": [
            {"signature": envelope["signatures"][0]["sig"], "verifier": content["verifiers"][0]}
        ],
    }


def both_forms(proposal: Proposal, spec: dict[str, object]) -> Changed:
    """The stored form, whole and in part, alone and beside what is proposed."""
    kept = stored(spec)
    yield "both-forms", {**proposal, "spec": {**spec, **kept}}
    yield "stored-alone", {**proposal, "spec": kept}
    for name, member in kept.items():
        yield f"with-{name}", {**proposal, "spec": {**spec, name: member}}
        less = {other: value for other, value in kept.items() if other != name}
        yield f"stored-without-{name}", {**proposal, "spec": less}
    wrong = {**kept, "envelopeHash": {"algorithm": "sha256", "value": ZEROS}}
    yield "both-forms-wrong", {**proposal, "spec": {**spec, **wrong}}


def intoto_001(proposal: Proposal, spec: dict[str, object]) -> Changed:
    """Digests that the server computes, given by the client."""
    digest = {"algorithm": "sha256", "value": ZEROS}
    for member in ("hash", "payloadHash"):
        yield f"with-{member}", replaced(proposal, ("spec", "content", member), digest)
    only = {"hash": digest, "payloadHash": digest}
    yield "stored-alone", replaced(proposal, ("spec", "content"), only)
    yield "stored-hash-alone", replaced(proposal, ("spec", "content"), {"hash": digest})
    content = spec["content"]
    assert isinstance(content, dict)
    yield "envelope-object", replaced(
        proposal, ("spec", "content", "envelope"), json.loads(content["envelope"])
    )


def intoto_002(proposal: Proposal, spec: dict[str, object]) -> Changed:
    """Base64 once or thrice instead of twice, and digests that the server computes."""
    content = spec["content"]
    assert isinstance(content, dict)
    envelope = content["envelope"]
    inside = ("spec", "content", "envelope")
    once = base64.b64decode(envelope["payload"])
    raw = base64.b64decode(once)
    spaced = once[:8] + b"\n" + once[8:]
    for name, other in [
        ("once", once.decode()),
        ("thrice", encoded(encoded(once))),
        ("urlsafe-inside", encoded(base64.urlsafe_b64encode(raw))),
        ("no-padding-inside", encoded(once.rstrip(b"="))),
        ("line-end-inside", encoded(spaced)),
    ]:
        yield f"payload:{name}", replaced(proposal, (*inside, "payload"), other)
    first = envelope["signatures"][0]
    sig = base64.b64decode(first["sig"])
    for name, other in [
        ("once", sig.decode()),
        ("urlsafe-inside", encoded(base64.urlsafe_b64encode(base64.b64decode(sig)))),
        ("no-padding-inside", encoded(sig.rstrip(b"="))),
    ]:
        yield f"sig:{name}", replaced(proposal, (*inside, "signatures", 0, "sig"), other)
    for keyid in ("me", ""):
        changed_first = {**first, "keyid": keyid}
        yield f"keyid:{keyid or 'empty'}", replaced(
            proposal, (*inside, "signatures", 0), changed_first
        )
    wrong = {"algorithm": "sha256", "value": ZEROS}
    yield "with-payloadHash", replaced(proposal, ("spec", "content", "payloadHash"), wrong)
    yield "signatures-reversed", replaced(
        proposal, (*inside, "signatures"), [*envelope["signatures"][::-1], first]
    )
