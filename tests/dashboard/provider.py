"""A small OpenID provider on this machine: discovery, a choice of accounts, codes with PKCE, ID
tokens signed with RS256, keys, and the end of a session.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "fashionrec", "the client's secret"
ACCOUNTS = {
    "ann@shop.example": True,  # the address, and whether the provider has verified it
    "bob@elsewhere.example": True,
    "mallory@shop.example": False,
}


class Provider(ThreadingHTTPServer):
    """Knows one client, whose address is `redirect_uri`. `spoil` makes its ID tokens bad ones."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.redirect_uri = ""
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.spoil = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.ended = 0

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def code_for(self, email: str, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe()
        self.codes[code] = asked | {"email": email}
        return code

    def tokens_for(self, form: dict[str, str]) -> dict[str, Any] | None:
        """Return the tokens for a code, which is good once; None: it is not."""
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        access = secrets.token_urlsafe()
        id_token = self._id_token(asked)
        return {"access_token": access, "token_type": "Bearer", "id_token": id_token}

    def _id_token(self, asked: dict[str, str]) -> str:
        now, email = int(time.time()), asked["email"]
        claims = {
            "iss": self.issuer,
            "sub": email,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 600,
            "nonce": asked["nonce"],
            "email": email,
            "email_verified": ACCOUNTS[email],
        }
        spoiled = {"nonce": "another", "aud": "another", "iss": "another", "exp": now - 600}
        claims |= {name: spoiled[name] for name in spoiled if name == self.spoil}
        other = RSAKey.generate_key(2048, {"kid": "1"})
        key = other if self.spoil == "signature" else self.key
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path == "/.well-known/openid-configuration":
            self._send(self.server.metadata)
        elif path == "/keys":
            self._send({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/authorize" and self._is_sound(asked):
            self._choose(asked)
        elif path == "/end":
            self.server.ended += 1
            self._redirect(asked["post_logout_redirect_uri"])
        else:
            self.send_error(400)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        client = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        known = self.headers["Authorization"] == f"Basic {client}"
        tokens = self.server.tokens_for(dict(parse_qsl(text))) if known else None
        self._send(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

    def _is_sound(self, asked: dict[str, str]) -> bool:
        return (
            asked["client_id"] == CLIENT_ID
            and asked["redirect_uri"] == self.server.redirect_uri
            and asked["response_type"] == "code"
            and asked["code_challenge_method"] == "S256"
            and "openid" in asked["scope"].split()
        )

    def _choose(self, asked: dict[str, str]) -> None:
        """Ask for an account, and send who has chosen one back with a code."""
        if email := asked.pop("account", None):
            answer = {"code": self.server.code_for(email, asked), "state": asked["state"]}
            self._redirect(f"{asked['redirect_uri']}?{urlencode(answer)}")
            return
        links = [
            f'<p><a href="/authorize?{urlencode(asked | {"account": email})}">{email}</a>'
            for email in ACCOUNTS
        ]
        self._answer("".join(["<h1>Choose an account</h1>", *links]).encode(), "text/html")

    def _send(self, document: dict[str, Any], status: int = 200) -> None:
        self._answer(json.dumps(document).encode(), "application/json", status)

    def _redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.end_headers()

    def _answer(self, content: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def providing() -> Iterator[Provider]:
    with Provider() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
