"""The Microsoft directory whose accounts may consent."""

from __future__ import annotations

import re
from typing import Final

from domain.errors import Violation
from domain.host import NotAName, ascii_name
from domain.providers.microsoft import CLOUDS
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.endpoints import PREFIX, WrittenEndpoints
from domain.settings.findings import Findings
from domain.settings.urls import Url
from domain.text import shown

_WELL_KNOWN: Final = ("common", "organizations", "consumers")
_PATH: Final = re.compile(r"/(?P<tenant>[^/]+)/oauth2/.*")
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_directory_tenant(
    text: str,
    *,
    provider: OAuthProvider | None,
    endpoints: WrittenEndpoints,
    needs_person: bool,
    findings: Findings,
) -> str:
    """
    Returns the Microsoft directory: as written, else the one in a written endpoint's path, else ``common``.

    Returns "" for other providers, and where the endpoints are complete and name none or several.
    """
    field = f"{PREFIX}.directory_tenant"
    if provider is not OAuthProvider.MICROSOFT:
        if text and provider is not None:
            findings.refuse(
                field,
                Reason.FIELD_NOT_APPLICABLE,
                "Only Microsoft has directory tenants.",
                "Leave the field empty, or choose the provider MICROSOFT.",
            )
        return ""
    urls = (endpoints.token, endpoints.authorization) if needs_person else (endpoints.token,)
    in_paths = {_tenant_in(url) for url in urls if url is not None} - {""}
    if not text:
        return "common" if None in urls and not in_paths else _only(in_paths)
    tenant = findings.take(_tenant(text, field=field))
    if tenant is not None and in_paths - {tenant}:
        findings.refuse(
            field,
            Reason.FIELD_CONFLICT,
            f"The endpoints name the directory {shown(min(in_paths - {tenant}))}, this field another one.",
            "Leave the endpoints empty, or name the same directory in all.",
        )
    return tenant or ""


def require_one_directory(text: str, *, tenant: str, endpoints: WrittenEndpoints, findings: Findings) -> None:
    """
    Refuses the directories that stand for many: an app that stands for itself does so in one of them.

    *text* is the directory as written, *tenant* as it was parsed.
    """
    in_path = _tenant_in(endpoints.token) if endpoints.token is not None else ""
    if tenant not in _WELL_KNOWN and in_path not in _WELL_KNOWN:
        return
    remedy = "Enter the directory's GUID, or one of its verified domains."
    if not text and not in_path:
        findings.refuse(
            f"{PREFIX}.directory_tenant",
            Reason.FIELD_REQUIRED,
            "The directory is missing: where nobody signs in, Microsoft cannot tell it.",
            remedy,
        )
        return
    findings.refuse(
        f"{PREFIX}.{'directory_tenant' if text.lower() in _WELL_KNOWN else 'token_endpoint'}",
        Reason.FIELD_CONFLICT,
        f"{shown(text.lower() if text.lower() in _WELL_KNOWN else in_path)} stands for many directories: where nobody "
        "signs in, Microsoft cannot tell which one is meant.",
        remedy,
    )


def _tenant(text: str, *, field: str) -> str | Violation:
    if text.lower() in _WELL_KNOWN or _GUID.fullmatch(text):
        return text.lower()
    try:
        name = ascii_name(text)
    except NotAName:
        name = ""
    if "." in name:
        return name
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message=f"{shown(text)} names no directory.",
        remedy="Enter common, organizations, consumers, the directory's GUID, or one of its verified domains.",
    )


def _only(tenants: set[str]) -> str:
    """Returns the one proper tenant, "" when there are several or none."""
    if len(tenants) != 1:
        return ""
    tenant = _tenant(min(tenants), field="")
    return "" if isinstance(tenant, Violation) else tenant


def _tenant_in(url: Url) -> str:
    path = _PATH.fullmatch(url.path)
    if path is None or not any(url.host.name in cloud.login_hosts for cloud in CLOUDS):
        return ""
    return path["tenant"].lower()
