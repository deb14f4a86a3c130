"""Scopes of an app that stands for itself at Microsoft: ``/.default`` of each resource, and nothing else."""

from __future__ import annotations

from typing import Final

from domain.providers.microsoft import DEFAULT_PERMISSION, MicrosoftCloud
from domain.providers.preset import CommunicationType
from domain.reasons import Reason
from domain.settings.findings import Findings
from domain.settings.purpose import Purpose
from domain.settings.scopes import FIELD
from domain.text import shown

_PERMISSIONS: Final = "What the app may do there are the permissions that an administrator granted it."


def app_scopes(purpose: Purpose, cloud: MicrosoftCloud) -> tuple[str, ...]:
    """Returns what the purpose needs: the Outlook resource for SMTP and IMAP, Graph for itself."""
    outlook, graph = cloud.app_outlook_scope, cloud.graph_scope(DEFAULT_PERMISSION)
    sending = graph if purpose.communication is CommunicationType.GRAPH else outlook
    return tuple(dict.fromkeys((sending, *((outlook,) if purpose.reads_mailbox else ()))))


def require_app_scopes(scopes: tuple[str, ...], *, purpose: Purpose, cloud: MicrosoftCloud, findings: Findings) -> None:
    """Refuses every scope but ``/.default`` of the cloud's two resources, and to lack one that the purpose needs."""
    wanted = app_scopes(purpose, cloud)
    outlook = {f"https://{host}/{DEFAULT_PERMISSION}" for host in cloud.outlook_hosts}
    graph = cloud.graph_scope(DEFAULT_PERMISSION)
    strangers = [scope for scope in scopes if scope.lower() not in {*outlook, graph}]
    for scope in strangers:
        findings.refuse(
            FIELD,
            Reason.SCOPE_INVALID,
            f"{shown(scope)} is no scope for an app on its own: Microsoft takes /.default of a resource, in full.",
            f"Use {' and '.join(wanted)} alone. {_PERMISSIONS}",
        )
    written = {scope.lower() for scope in scopes}
    missing = [scope for scope in wanted if not written & ({graph} if scope == graph else outlook)]
    if missing and not strangers:
        findings.refuse(
            FIELD,
            Reason.SCOPE_NEEDED,
            "Sending or reading needs the scope of a resource that is not among these.",
            f"Add {' and '.join(missing)}. {_PERMISSIONS}",
        )
