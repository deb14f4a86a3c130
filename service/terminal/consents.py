"""Consent as lines: whose grant it is and for how long, what became of a session, what became of a grant given up."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from mailport.v1 import configuration_pb2 as api
from mailport.v1 import mail_service_pb2
from service.terminal.failures import draw_warnings
from service.terminal.style import Style
from service.terminal.words import instant, labelled, plain, word


def draw_started(response: mail_service_pb2.AuthorizeResponse, style: Style) -> list[str]:
    """Returns the address to open, until when, and what happens after that."""
    return [
        *draw_warnings(response.warnings, style, indent=""),
        f"Open this address in a browser and consent, until {instant(response.expire_time)}:",
        "",
        plain(response.authorization_url),
        "",
        f"The browser then comes back to {plain(response.redirect_url)}.",
        f"{style.arrow} Where it shows an error there, `mailport complete-auth` takes the address that it landed on.",
        *_pages(response.page_refusals, style),
    ]


def _pages(refusals: Iterable[mail_service_pb2.PageRefusal], style: Style) -> list[str]:
    """Returns what the provider's page may say instead, and what to do then."""
    facts = [(plain(each.shown), plain(each.failure.remedy)) for each in refusals]
    if not facts:
        return []
    told = f"{style.arrow} Where the provider's own page shows an error, nobody but its reader is told:"
    return [told, *labelled(facts, indent="  ")]


def draw_authorized(response: mail_service_pb2.CompleteAuthResponse, style: Style) -> list[str]:
    """Returns what the consent gave, and what remains to be done before mail can be sent."""
    gained = _gained(response.account, response.granted_scopes, response.access_token_expire_time)
    return _authorized(response.configuration, gained, response.warnings, style)


def draw_consented(configuration: api.Configuration, style: Style) -> list[str]:
    """
    Returns the same, read from a configuration whose latest consent session has ended well.

    A draft may have a grant of its own beside the older one that is in use.
    """
    grants = (configuration.grant, configuration.draft.grant, configuration.active.grant)
    grant = max(grants, key=lambda each: each.authorize_time.ToNanoseconds())
    gained = _gained(grant.account, grant.granted_scopes, grant.access_token_expire_time)
    return _authorized(configuration, gained, configuration.health.warnings, style)


def draw_given_up(revocation: api.GrantRevocation.ValueType, style: Style) -> list[str]:
    """Returns what became of a grant that was given up, and what its owner can do where it may live on."""
    match revocation:
        case api.GRANT_REVOCATION_NO_GRANT:
            return [f"{style.tick} There was no consent to give up."]
        case api.GRANT_REVOCATION_REVOKED:
            return [f"{style.tick} The provider has revoked the consent."]
        case api.GRANT_REVOCATION_NOT_SUPPORTED:
            said = "The consent is forgotten here; the provider offers no way to revoke it from here."
        case api.GRANT_REVOCATION_SHARED:
            said = (
                "The consent is forgotten here and not revoked: other configurations hold one of the same account and "
                "client, which the provider would end too."
            )
        case api.GRANT_REVOCATION_FAILED:
            said = "The consent is forgotten here, but the provider could not be reached or refused to revoke it."
        case _:
            other = word(api.GrantRevocation.DESCRIPTOR, revocation, prefix="GRANT_REVOCATION_")
            return [f"{style.caution} The consent is forgotten here; at the provider: {other}."]
    return [
        f"{style.caution} {said}",
        f"  {style.arrow} To end it there too, remove the application in the account's own pages at the provider.",
    ]


def grant_facts(grant: api.Grant) -> list[tuple[str, str]]:
    """Returns a grant as labelled facts: whose, how fresh, which scopes."""
    state = word(api.GrantState.DESCRIPTOR, grant.state, prefix="GRANT_STATE_")
    facts = [plain(grant.account) or "account unknown", state, f"since {instant(grant.authorize_time)}"]
    if refreshed := instant(grant.refresh_time):
        facts.append(f"refreshed {refreshed}")
    return [
        ("grant", ", ".join(facts)),
        ("scopes", plain(" ".join(grant.granted_scopes))),
        ("access token", _until(grant.access_token_expire_time)),
    ]


def session_fact(session: api.ConsentSession) -> str:
    """Returns where a consent session stands; its failure is drawn apart."""
    state = word(api.ConsentState.DESCRIPTOR, session.state, prefix="CONSENT_STATE_")
    if session.state == api.CONSENT_STATE_PENDING:
        return f"{state} until {instant(session.expire_time)}, back to {plain(session.redirect_url)}"
    return f"{state}, started {instant(session.create_time)}"


def _authorized(
    configuration: api.Configuration, gained: list[str], warnings: Iterable[api.SettingsWarning], style: Style
) -> list[str]:
    name = configuration.configuration_id
    lines = [f"{style.tick} {name} is authorized.", *gained, *draw_warnings(warnings, style)]
    if configuration.HasField("draft"):
        lines.append(f"  {style.arrow} mailport validate {name} proves the draft and puts it into use")
    return lines


def _gained(account: str, scopes: Iterable[str], access_token_expire_time: Timestamp) -> list[str]:
    return labelled(
        [
            ("account", plain(account) or "not told by the provider"),
            ("scopes", plain(" ".join(scopes))),
            ("access token", _until(access_token_expire_time)),
        ]
    )


def _until(time: Timestamp) -> str:
    """Returns until when an access token is good, and that nobody has to mind; empty for the unset time."""
    end = instant(time)
    return f"until {end}, then refreshed" if end else ""
