"""A tiny OpenID Connect provider, which knows one person and logs them in without a question."""

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID = "e2a"
CLIENT_SECRET = "a secret that the provider has issued"


class Provider(ThreadingHTTPServer):
    """Serves what the protocol needs (OpenID Connect Core 1.0, section 3.1): metadata, keys, codes and tokens."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.signing_key = self.key
        """What tokens are signed with; another one than `key` is a forgery."""
        self.claims: dict[str, Any] = {}
        """What tokens say beside, or instead of, what they must."""
        self.denies = False
        self.codes: dict[str, str] = {}
        """Nonces, by the code that was given for them."""

    def token(self, nonce: str) -> str:
        """Return an ID token."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 60, "nonce": nonce}
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims | self.claims, self.signing_key)


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        issuer = self.server.issuer
        if url.path == "/.well-known/openid-configuration":
            metadata = {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
            self._answer(metadata)
        elif url.path == "/keys":
            self._answer(KeySet([self.server.key]).as_dict(private=False))
        elif url.path == "/authorize":
            self._authorize({name: values[0] for name, values in parse_qs(url.query).items()})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        nonce = self.server.codes.pop(form["code"][0], None)
        if nonce is None or "code_verifier" not in form:
            self._answer({"error": "invalid_grant"}, 400)
            return
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": self.server.token(nonce)})

    def _authorize(self, asked: dict[str, str]) -> None:
        assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
        code = secrets.token_urlsafe(8)
        self.server.codes[code] = asked["nonce"]
        answer = {"error": "access_denied"} if self.server.denies else {"code": code}
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer | {'state': asked['state']})}")
        self.end_headers()

    def _answer(self, answer: object, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Log no request."""


@contextmanager
def provider() -> Iterator[Provider]:
    """Run a provider until the block ends."""
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
