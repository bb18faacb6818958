"""The page: the built files, served from memory, and the headers that keep a browser safe."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PACKAGED = Path(__file__).parent.parent / "_web"
_BUILT = Path(__file__).parents[3] / "web" / "dist"
_API = ("/api/", "/health", "/metrics", "/openapi.json", "/docs", "/.well-known/")
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}
"""What not every machine knows; a worker of another type is refused by browsers."""
_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HSTS = "max-age=31536000"
"""Of every answer on https, and of none on http, where a browser would have to ignore it: come back on https only."""
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
_NOT_BUILT = """<!doctype html><html lang="en"><title>Telemetry Slice</title>
<h1>The page is not built</h1>
<p>The platform runs, its page was not built: run <code>make web</code> and start again.
The interface is described at <a href="/docs">/docs</a>.</p></html>
"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page, ready to be sent."""

    content: bytes
    gzipped: bytes | None
    media_type: str
    etag: str
    caching: str


def _read(path: Path, name: str) -> PageFile:
    content = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    gzipped = gzip.compress(content, mtime=0) if media_type.startswith(_COMPRESSIBLE) else None
    # The bundler puts a digest of the content into the names of assets; the other names stay and are asked for anew.
    caching = _FOREVER if name.startswith("/assets/") else _ASK
    etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    smaller = gzipped if gzipped is not None and len(gzipped) < len(content) else None
    return PageFile(content, smaller, media_type, etag, caching)


def find_page() -> Path | None:
    """The folder of the built page: inside the installed package, or web/dist of the checkout; None if not built."""
    return next((folder for folder in (_PACKAGED, _BUILT) if (folder / "index.html").is_file()), None)


def read_page(folder: Path | None) -> dict[str, PageFile]:
    """Every file of the page by its path."""
    if folder is None:
        return {}
    names = {f"/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: _read(path, name) for name, path in names.items()}


class Page:
    """Answers what no route answers: a file of the page, or the page itself for its own addresses."""

    def __init__(self, files: dict[str, PageFile]) -> None:
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file. Raises HTTPException 404, 405."""
        if scope["type"] != "http":
            raise HTTPException(404)
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path.startswith(_API) or (path.startswith("/assets/") and path not in self._files):
            raise HTTPException(404)
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        file = self._files.get(path)
        if file is None:
            if "." in path.rpartition("/")[2] and "text/html" not in request.headers.get("accept", ""):
                raise HTTPException(404)
            # The page has addresses of its own, which it reads itself.
            file = self._files.get("/index.html")
        if file is None:
            return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
        headers = {"ETag": file.etag, "Cache-Control": file.caching, "Content-Security-Policy": PAGE_POLICY}
        if file.gzipped is not None:
            headers["Vary"] = "Accept-Encoding"
        if request.headers.get("if-none-match") == file.etag:
            return Response(None, 304, headers)
        content = file.content
        if file.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = file.gzipped
        if request.method == "HEAD":
            headers["Content-Length"] = str(len(content))
            content = b""
        return Response(content, 200, headers, file.media_type)


class SafeHeaders:
    """Adds to every answer what keeps a browser from misusing it; what a route has set stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, watching the answer's beginning."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("X-Frame-Options", "DENY")
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
                headers.setdefault("Content-Security-Policy", DATA_POLICY)
                headers.setdefault("Cache-Control", "no-store")
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self._app(scope, receive, with_headers)


def install(app: FastAPI) -> None:
    """Let `app` serve the page at every address that no route has."""
    app.router.default = Page(read_page(find_page()))
    app.add_middleware(SafeHeaders)
