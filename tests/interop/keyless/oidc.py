#!/usr/bin/env python3
"""An issuer of identity tokens (OpenID Connect), as small as Fulcio and its clients allow.

    oidc.py serve PORT KEY            discovery document and key, on loopback
    oidc.py token PORT KEY EMAIL      prints a token that Fulcio takes for ten minutes, with no end of line

KEY is an RSA private key in PEM; openssl signs with it. There is no login: who has the key mints.
"""

import base64
import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

AUDIENCE = "sigstore"
LIFETIME_SECONDS = 600


def openssl(*arguments, text=b""):
    return subprocess.run(["openssl", *arguments], input=text, stdout=subprocess.PIPE, check=True).stdout


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def issuer(port):
    return f"http://127.0.0.1:{port}"


def documents(port, key):
    """What is served, by path: OpenID Connect Discovery 1.0, and a JWK set (RFC 7517)."""
    modulus = openssl("rsa", "-in", key, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
    jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "interop",
           "n": base64url(bytes.fromhex(modulus)), "e": base64url((65537).to_bytes(3, "big"))}
    discovery = {
        "issuer": issuer(port),
        "jwks_uri": issuer(port) + "/keys",
        "authorization_endpoint": issuer(port) + "/auth",
        "token_endpoint": issuer(port) + "/token",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return {"/.well-known/openid-configuration": discovery, "/keys": {"keys": [jwk]}}


def token(port, key, email):
    """A JWT (RFC 7519). `sub` is the address too: not every client proves its key over `email`."""
    now = int(time.time())
    claims = {"iss": issuer(port), "aud": AUDIENCE, "sub": email, "email": email,
              "email_verified": True, "iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS}
    header = {"alg": "RS256", "kid": "interop", "typ": "JWT"}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return signed + "." + base64url(openssl("dgst", "-sha256", "-sign", key, text=signed.encode()))


def serve(port, key):
    served = documents(port, key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(served.get(self.path, {})).encode()
            self.send_response(200 if self.path in served else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    what, at, private_key, *rest = sys.argv[1:]
    if what == "serve":
        serve(int(at), private_key)
    else:
        print(token(int(at), private_key, *rest), end="")
