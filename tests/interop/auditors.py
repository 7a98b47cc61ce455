"""What auditors.sh needs beyond the clients: requests, notes and keys. Standard library and openssl.

entry v1|v2 FILE [CERTIFICATE KEY]      a request for a new hashedrekord, with a new key unless one is given
many v1|v2 URL COUNT                    posts so many new hashedrekords, under one key
post v1|v2 URL FILE                     prints the status, `at once` or `later`, and the answer
witness-key NAME KEY-FILE               makes a witness key; prints its vkey
fetch URL                               prints what is there
know DATABASE ORIGIN VKEY               tells litewitness of a log
cosignatures URL VKEY...                prints how many of the keys have cosigned that checkpoint
"""

import base64
import hashlib
import json
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PATHS = {"v1": "/api/v1/log/entries", "v2": "/api/v2/log/entries"}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
EMPTY_ROOT = base64.b64encode(hashlib.sha256(b"").digest()).decode()
ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410, before the 32 bytes
NOTE_KEY, COSIGNATURE_KEY = b"\x01", b"\x04"  # C2SP signed-note


def b64(raw):
    return base64.b64encode(raw).decode()


def openssl(*args, **kwargs):
    return subprocess.run(["openssl", *args], capture_output=True, check=True, **kwargs).stdout


def entry(api, file, certificate=None, key=None):
    with tempfile.TemporaryDirectory() as folder:
        artifact, made = folder + "/artifact", folder + "/key"
        open(artifact, "wb").write(os.urandom(32))
        digest = hashlib.sha256(open(artifact, "rb").read()).digest()
        if key is None:
            key = made
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        signature = b64(openssl("dgst", "-sha256", "-sign", key, artifact))
        if certificate:
            pem = open(certificate, "rb").read()
            der = openssl("x509", "-in", certificate, "-outform", "DER")
            verifier = {"x509Certificate": {"rawBytes": b64(der)}}
        else:
            pem = openssl("pkey", "-in", key, "-pubout")
            der = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
            verifier = {"publicKey": {"rawBytes": b64(der)}}
    verifier["keyDetails"] = "PKIX_ECDSA_P256_SHA_256"
    request = {
        "v1": {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
            "signature": {"content": signature, "publicKey": {"content": b64(pem)}}}},
        "v2": {"hashedRekordRequestV002": {
            "digest": b64(digest), "signature": {"content": signature, "verifier": verifier}}},
    }
    json.dump(request[api], open(file, "w"))


def many(api, url, count):
    with tempfile.TemporaryDirectory() as folder:
        key, file = folder + "/key", folder + "/entry"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        for _ in range(int(count)):
            entry(api, file, key=key)
            request = urllib.request.Request(url + PATHS[api], open(file, "rb").read(), HEADERS)
            assert urllib.request.urlopen(request, timeout=20).status == 201


def post(api, url, file):
    request = urllib.request.Request(url + PATHS[api], open(file, "rb").read(), HEADERS)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=50) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    print(status, "at once" if time.monotonic() - began < 5 else "later", text)


def fetch(url):
    print(urllib.request.urlopen(url, timeout=10).read().decode())


def vkey(name, kind, public):
    hint = hashlib.sha256(name.encode() + b"\n" + kind + public).hexdigest()[:8]
    return f"{name}+{hint}+{b64(kind + public)}"


def witness_key(name, file):
    der = openssl("genpkey", "-algorithm", "ed25519", "-outform", "DER")
    public = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", input=der)[-32:]
    hint = vkey(name, NOTE_KEY, public).split("+")[1]
    open(file, "w").write(f"PRIVATE+KEY+{name}+{hint}+{b64(NOTE_KEY + der[-32:])}")
    print(vkey(name, COSIGNATURE_KEY, public))


def know(database, origin, key):
    with sqlite3.connect(database) as db:
        db.execute("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", (origin, EMPTY_ROOT))
        db.execute("INSERT INTO key (origin, key) VALUES (?, ?)", (origin, key))


def has_cosigned(note, key):
    """C2SP tlog-cosignature: hint, time and Ed25519 over a header with that time and the body."""
    name, hint, raw = key.split("+", 2)
    body, signatures = note.split("\n\n", 1)
    for line in signatures.splitlines():
        _, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if signer != name or blob[:4].hex() != hint:
            continue
        moment = struct.unpack(">Q", blob[4:12])[0]
        with tempfile.TemporaryDirectory() as folder:
            signed, signature, public = (f"{folder}/{part}" for part in ("signed", "signature", "key"))
            open(signed, "w").write(f"cosignature/v1\ntime {moment}\n{body}\n")
            open(signature, "wb").write(blob[12:])
            open(public, "wb").write(ED25519_SPKI + base64.b64decode(raw)[1:])
            try:
                openssl("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public,
                        "-rawin", "-in", signed, "-sigfile", signature)
            except subprocess.CalledProcessError as error:
                sys.exit(f"{name}: the cosignature does not verify: {error.stdout}")
        return abs(time.time() - moment) < 600
    return False


def cosignatures(url, *keys):
    with urllib.request.urlopen(url, timeout=10) as answer:
        note = answer.read().decode()
    print(sum(has_cosigned(note, key) for key in keys))


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
