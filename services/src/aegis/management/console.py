"""The built console: static files, each page with a policy that allows its own inline scripts and no others."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Final

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import PathLike
from starlette.types import Scope

__all__ = ["SITE", "Console", "policy_of"]

SITE: Final = Path(__file__).with_name("site")
"""Where `make ui` puts the console, and the wheel has it."""

_INLINE: Final = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.S | re.I)
_GZIP: Final = re.compile(r"gzip(\s*;\s*q=(1|0\.0*[1-9]).*)?")
_HASHED_NAMES: Final = "_next/static/"
"""A file below it never changes: its name has the hash of its content."""


class Console(StaticFiles):
    """`/leases` is `leases.html`, or `leases/index.html`; where there is a `.gz` beside a file, who takes it gets that.

    Nothing else is compressed: how long an answer of the API gets would tell of the secrets in it.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, html=True)
        self._policies = {
            str(page.relative_to(directory)): policy_of(page.read_bytes()) for page in directory.rglob("*.html")
        }

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path.removesuffix("/") + ".html" in self._policies:
            path = path.removesuffix("/") + ".html"
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or "404.html" not in self._policies:
                raise
            response = await super().get_response("404.html", scope)
            response.status_code = 404
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Content-Security-Policy"] = self._policy(path)
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if path.startswith(_HASHED_NAMES) else "no-cache"
        )
        return response

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        packed = f"{full_path!s}.gz"
        if not _takes_gzip(Headers(scope=scope).get("accept-encoding", "")) or not os.path.exists(packed):
            return super().file_response(full_path, stat_result, scope, status_code)
        response = super().file_response(packed, os.stat(packed), scope, status_code)
        response.headers["Content-Encoding"] = "gzip"
        return response

    def _policy(self, path: str) -> str:
        for page in (path, "index.html" if path in ("", ".") else f"{path.removesuffix('/')}/index.html"):
            if page in self._policies:
                return self._policies[page]
        return self._policies.get("404.html", policy_of(b""))


def _takes_gzip(accepted: str) -> bool:
    return any(_GZIP.fullmatch(one.strip()) for one in accepted.lower().split(","))


def policy_of(page: bytes) -> str:
    """The Content-Security-Policy of a page."""
    hashes = sorted({base64.b64encode(hashlib.sha256(text).digest()).decode() for text in _INLINE.findall(page)})
    scripts = " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
