#!/usr/bin/env python3
"""The face of a certificate transparency log that Fulcio sees: it promises, and logs nothing.

    ct.py PORT KEY      answers /ct/v1/add-pre-chain (RFC 6962, 4.2) on loopback

KEY is a P-256 private key in PEM. The clients check the promise (SCT, RFC 6962, 3.2) against the
trusted root, so that a mistake here fails their checks.
"""

import base64
import hashlib
import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POISON = bytes.fromhex("060a2b06010401d679020403")  # the OID 1.3.6.1.4.1.11129.2.4.3
BODY_BYTES_MAX = 1 << 20
SHA256_ECDSA = b"\x04\x03"


def openssl(*arguments, text=b""):
    return subprocess.run(["openssl", *arguments], input=text, stdout=subprocess.PIPE, check=True).stdout


def elements(der):
    """The elements that stand in a row in `der`, each with its header."""
    at = 0
    while at < len(der):
        head, length = 2, der[at + 1]
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(der[at + 2 : at + head], "big")
        yield der[at : at + head + length]
        at += head + length


def inside(element):
    return element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]


def wrapped(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def tbs(certificate):
    return next(elements(inside(certificate)))


def spki(certificate):
    """The subject's key: the sixth after the version, which is tagged [0] (RFC 5280, 4.1)."""
    fields = list(elements(inside(tbs(certificate))))
    assert fields[0][0] == 0xA0, "no version 3 certificate"
    return fields[6]


def without_poison(certificate):
    """The part of a precertificate that is signed, less its poison extension (RFC 6962, 3.2)."""
    fields = list(elements(inside(tbs(certificate))))
    assert fields[-1][0] == 0xA3, "no extensions"
    extensions = list(elements(inside(inside(fields[-1]))))
    kept = [one for one in extensions if not inside(one).startswith(POISON)]
    assert len(kept) == len(extensions) - 1, "no precertificate"
    fields[-1] = wrapped(0xA3, wrapped(0x30, b"".join(kept)))
    return wrapped(0x30, b"".join(fields))


def promise(key, log_id, chain):
    """The SCT of RFC 6962, 3.2 and 4.1, over a `digitally-signed` precert_entry."""
    certificate, issuer = (base64.b64decode(one) for one in chain[:2])
    now = time.time_ns() // 1_000_000
    body = without_poison(certificate)
    signed = b"\0\0" + now.to_bytes(8, "big") + b"\0\1" + hashlib.sha256(spki(issuer)).digest()
    signed += len(body).to_bytes(3, "big") + body + b"\0\0"
    signature = openssl("dgst", "-sha256", "-sign", key, text=signed)
    encoded = SHA256_ECDSA + len(signature).to_bytes(2, "big") + signature
    return {"sct_version": 0, "id": base64.b64encode(log_id).decode(), "timestamp": now,
            "extensions": "", "signature": base64.b64encode(encoded).decode()}


def serve(port, key):
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
    log_id = hashlib.sha256(public).digest()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer(200, {"log": "promises only"})

        def do_POST(self):
            size = int(self.headers.get("Content-Length", 0))
            if self.path != "/ct/v1/add-pre-chain" or not 0 < size <= BODY_BYTES_MAX:
                self.answer(404, {})
                return
            self.answer(200, promise(key, log_id, json.loads(self.rfile.read(size))["chain"]))

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
