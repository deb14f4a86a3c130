"""Scopes without which sending or reading cannot work: rule 4 of the settings."""

from __future__ import annotations

from domain.providers.google import API_SCOPE_PREFIX, MAIL_SCOPE
from domain.providers.microsoft import (
    CLOUDS,
    GRAPH_SEND,
    GRAPH_SEND_SHARED,
    IMAP_PERMISSION,
    SMTP_PERMISSION,
    MicrosoftCloud,
)
from domain.providers.preset import CommunicationType, OAuthProvider
from domain.reasons import Reason
from domain.settings.findings import Findings
from domain.settings.purpose import Purpose
from domain.settings.scopes import FIELD


def require_scopes(
    scopes: tuple[str, ...],
    *,
    issuer: OAuthProvider | None,
    purpose: Purpose,
    cloud: MicrosoftCloud,
    from_own_mailbox: bool,
    findings: Findings,
) -> None:
    """Refuses *scopes* that lack what the purpose needs at Google and Microsoft; of other issuers no rule is known."""
    if purpose.communication is CommunicationType.GRAPH:
        _require_graph(scopes, cloud=cloud, from_own_mailbox=from_own_mailbox, findings=findings)
    if issuer is OAuthProvider.GOOGLE:
        _require_google(scopes, purpose=purpose, findings=findings)
    if issuer is OAuthProvider.MICROSOFT:
        if purpose.communication is CommunicationType.SMTP:
            _require_outlook(scopes, SMTP_PERMISSION, "SMTP", cloud=cloud, findings=findings)
        if purpose.reads_mailbox:
            _require_outlook(scopes, IMAP_PERMISSION, "IMAP", cloud=cloud, findings=findings)


def _refuse(findings: Findings, message: str, remedy: str) -> None:
    findings.refuse(FIELD, Reason.SCOPE_NEEDED, message, remedy)


def _require_google(scopes: tuple[str, ...], *, purpose: Purpose, findings: Findings) -> None:
    uses_mail = purpose.communication is CommunicationType.SMTP or purpose.reads_mailbox
    if MAIL_SCOPE in scopes or not uses_mail:
        return
    if MAIL_SCOPE.rstrip("/") in scopes:
        message = "Google's mail scope is written with a slash at its end."
    elif api := next((scope for scope in scopes if scope.startswith(API_SCOPE_PREFIX + "gmail.")), None):
        message = f"{api.removeprefix(API_SCOPE_PREFIX)} opens Google's REST API alone, neither SMTP nor IMAP."
    else:
        message = "Google's SMTP and IMAP open to one scope alone, and it is not among these."
    _refuse(findings, message, f"Add {MAIL_SCOPE} with the slash at its end.")


def _require_outlook(
    scopes: tuple[str, ...], permission: str, protocol: str, *, cloud: MicrosoftCloud, findings: Findings
) -> None:
    written = {scope.lower() for scope in scopes}
    good = {f"https://{host}/{name}" for host in cloud.outlook_hosts for name in (permission.lower(), ".default")}
    if written & good:
        return
    wanted = cloud.outlook_scope(permission)
    near = next((scope for scope in scopes if scope.lower().rpartition("/")[2] == permission.lower()), None)
    if near is None:
        message = f"{protocol} at Exchange Online needs a scope of the Outlook resource, and none is among these."
    elif "/" not in near:
        message = f"{near} without a host means Graph's permission of that name: Exchange refuses its tokens."
    elif any(near.lower().startswith(f"https://{each.graph_host}/") for each in CLOUDS):
        message = f"{near} is Graph's permission of that name: Exchange refuses its tokens."
    else:
        message = f"{near} is not a scope of the cloud of these settings ({cloud.name})."
    _refuse(findings, message, f"Replace it by {wanted}." if near else f"Add {wanted}.")


def _require_graph(
    scopes: tuple[str, ...], *, cloud: MicrosoftCloud, from_own_mailbox: bool, findings: Findings
) -> None:
    written = {scope.lower() for scope in scopes}
    permissions = (GRAPH_SEND, GRAPH_SEND_SHARED) if from_own_mailbox else (GRAPH_SEND_SHARED,)
    names = [*permissions, ".default"]
    if written & {form.lower() for name in names for form in (cloud.graph_scope(name), name) if form != ".default"}:
        return
    wanted = cloud.graph_scope(permissions[0])
    sending = {GRAPH_SEND.lower(), GRAPH_SEND_SHARED.lower()}
    near = next((scope for scope in scopes if scope.lower().rpartition("/")[2] in sending), None)
    if near is None:
        message = "Sending through Graph needs a Graph send scope, and none is among these."
    elif not from_own_mailbox and near.lower() in {GRAPH_SEND.lower(), cloud.graph_scope(GRAPH_SEND).lower()}:
        message = f"{near} does not allow sending from another mailbox."
    else:
        message = f"{near} is not a Graph scope of the cloud of these settings ({cloud.name})."
    _refuse(findings, message, f"Replace it by {wanted}." if near else f"Add {wanted}.")
