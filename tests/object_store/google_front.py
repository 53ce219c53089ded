"""Stands before fake-gcs-server and does what it lacks of Google's API in XML, delta-rs' own.

Of objects put by it the server takes only those of signed requests, and without conditions: they
are uploaded by the API in JSON, whose conditions it heeds. And lists begin where they should.

A process of its own, `google_front.py PORT PORT_BEHIND`: delta-rs holds Python's lock while it
waits for some answers.
"""

import json
import re
import sys
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

_PUT = re.compile(r"/(?P<bucket>[^/?]+)/(?P<name>[^?]+)")
_UPLOAD = "/upload/"
_LISTED = re.compile(rb"<Contents><Key>(.*?)</Key>.*?</Contents>", re.DOTALL)
_OF_A_HOP = ("Connection", "Keep-Alive", "Transfer-Encoding")
_BOUNDARY = b"two-parts"


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        method, path = self.command, self.path
        content = self._content()
        headers = {name: value for name, value in self.headers.items() if name not in _OF_A_HOP}
        if method == "PUT" and not path.startswith(_UPLOAD):
            method, path, content, headers = _as_upload(path, content, self.headers)
        connection = HTTPConnection("127.0.0.1", int(sys.argv[2]))
        connection.request(method, path, content, headers)
        self._answer(connection)
        connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _answer(self, connection: HTTPConnection) -> None:
        answer = connection.getresponse()
        content = _after(self.path, answer.read())
        self.send_response(answer.status)
        told = {name: value for name, value in answer.getheaders() if name not in _OF_A_HOP}
        if self.command != "HEAD":
            told["Content-Length"] = str(len(content))
        if self.command == "PUT" and answer.status == 200:
            told.setdefault("ETag", '"any"')
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _after(path: str, listed: bytes) -> bytes:
    """Leave out of a list the objects that the server should not have told."""
    start = parse_qs(urlsplit(path).query).get("start-after", [""])[0].encode()
    return _LISTED.sub(lambda found: found[0] if found[1] > start else b"", listed)


def _as_upload(path: str, content: bytes, told: Message) -> tuple[str, str, bytes, dict[str, str]]:
    put = _PUT.match(path)
    assert put is not None, path
    query = {"uploadType": "multipart"}
    if (generation := told.get("x-goog-if-generation-match")) is not None:
        query["ifGenerationMatch"] = generation
    name = json.dumps({"name": unquote(put["name"])}).encode()
    parts = [(b"application/json", name), (b"application/octet-stream", content)]
    text = b"".join(b"--%b\nContent-Type: %b\n\n%b\n" % (_BOUNDARY, *part) for part in parts)
    headers = {"Content-Type": f"multipart/related; boundary={_BOUNDARY.decode()}"}
    target = f"/upload/storage/v1/b/{put['bucket']}/o?{urlencode(query)}"
    return "POST", target, text + b"--%b--" % _BOUNDARY, headers


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Front).serve_forever()
