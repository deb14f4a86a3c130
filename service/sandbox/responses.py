"""The answers of the sandbox's pages: never cached, never trusted by a browser further than needed."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
# `sandbox` gives the mail an origin of its own and no scripts, also when it is opened outside the page's frame.
_MAIL: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
_FILE_NAME_LIMIT: Final = 120
_MOUNTED: Final = ("/identity", "/graph")
"""Applications with pages of their own below the sandbox."""

# Everything a file system, a shell or a header's quotes could take for more than a letter of a name.
_UNSAFE: Final = re.compile(r"[^\w .,()+@-]", re.ASCII)
_UNSAFE_UNICODE: Final = re.compile(
    '[\x00-\x1f\x7f-\x9f"/\\\\:*?<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)

_templates: Final = Environment(
    loader=PackageLoader("service.sandbox"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    request: Request, template: str, *, status_code: int = 200, form_targets: str = "", **values: Any
) -> HTMLResponse:
    """
    Renders a template with the sandbox's mount point as `base`; the page can run no script at all.

    *form_targets*: sources of a policy (CSP Level 3) that its forms may lead to besides this site.
    """
    nonce = secrets.token_urlsafe(16)
    text = _templates.get_template(template).render(base=_base(request), nonce=nonce, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; frame-src 'self'; "
        f"form-action 'self' {form_targets}".rstrip()
        + "; base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(text, status_code=status_code, headers={**_HEADERS, "Content-Security-Policy": policy})


def _base(request: Request) -> str:
    """Returns the path that the sandbox is mounted at, for pages of an application mounted below it too."""
    path: str = request.scope.get("root_path", "")
    for mount in _MOUNTED:
        path = path.removesuffix(mount)
    return path


def mail_html(html: str) -> HTMLResponse:
    """Returns the HTML of a mail for the frame of the message page: no scripts, no forms, nothing from the network."""
    return HTMLResponse(html, headers={**_HEADERS, "Content-Security-Policy": _MAIL})


def data(content: Any, *, status_code: int = 200) -> JSONResponse:
    """Returns JSON."""
    return JSONResponse(content, status_code=status_code, headers={**_HEADERS, "Content-Security-Policy": _NOTHING})


def download(content: bytes, *, file_name: str, media_type: str = "application/octet-stream") -> Response:
    """Returns a file to be saved, never shown, under a name that is safe to save."""
    disposition = content_disposition(file_name)
    headers = {**_HEADERS, "Content-Security-Policy": _NOTHING, "Content-Disposition": disposition}
    return Response(content, media_type=media_type, headers=headers)


def content_disposition(file_name: str) -> str:
    """Returns an attachment header (RFC 6266) with *file_name* freed from paths, quotes, controls and leading dots."""
    kept = _UNSAFE_UNICODE.sub("_", file_name).strip(" .")[:_FILE_NAME_LIMIT] or "attachment"
    return f"attachment; filename=\"{_UNSAFE.sub('_', kept)}\"; filename*=UTF-8''{quote(kept, safe='')}"
