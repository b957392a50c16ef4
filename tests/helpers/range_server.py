"""A web server on loopback that serves a folder with byte ranges, and fails on demand."""

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

Server = TypeVar("Server", bound=ThreadingHTTPServer)


class RangeServer(ThreadingHTTPServer):
    """Serves `folder`; `fail` and `cut` count down the answers that fail or break off.

    `log` holds (method, path, range asked for, bytes sent) of each request.
    """

    daemon_threads = True

    def __init__(self, folder: Path):
        self.folder = folder
        self.log: list[tuple[str, str, str | None, int]] = []
        self.fail = self.cut = 0
        self.code = 503
        super().__init__(("127.0.0.1", 0), _Ranges)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    """Answers all verbs alike, by `answer`, which gets what was sent."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def answer(self, sent: bytes) -> None:
        raise NotImplementedError


class _Ranges(Handler):
    server: RangeServer

    def answer(self, sent: bytes) -> None:
        asked = self.headers.get("Range")
        path = self.server.folder / urlsplit(self.path).path.lstrip("/")
        code, content, more = 200, b"", {}
        if self.server.fail > 0:
            self.server.fail -= 1
            code = self.server.code
        elif not path.is_file():
            code = 404
        else:
            content = path.read_bytes()
            if match := re.fullmatch(r"bytes=(\d+)-(\d*)", asked or ""):
                first, last = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
                more = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
                code, content = 206, content[first : last + 1]
        self.send_response(code)
        headers = {"Content-Length": str(len(content)), "Accept-Ranges": "bytes", **more}
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            content = b""
        elif self.server.cut > 0 and asked:
            self.server.cut -= 1
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)
        self.server.log.append((self.command, self.path, asked, len(content)))


def serve(folder: Path) -> AbstractContextManager[RangeServer]:
    """Serve a folder while the block runs."""
    return running(RangeServer(folder))


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server that answers while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
