"""Configurations as lines: what sends, how, and how healthy it is."""

from __future__ import annotations

from collections.abc import Sequence

from mailport.v1 import configuration_pb2 as api
from service.terminal.consents import grant_facts, session_fact
from service.terminal.failures import draw_failure, draw_warnings
from service.terminal.style import Style
from service.terminal.words import aligned, instant, labelled, plain, word


def draw_configuration(configuration: api.Configuration, style: Style) -> list[str]:
    """Returns health, revisions, consent and warnings of one configuration."""
    health = configuration.health
    heading = f"{style.bold(configuration.configuration_id)}  {health_word(health)}"
    facts = [
        ("active", _revision(configuration.active, style) if configuration.HasField("active") else "none"),
        ("draft", _revision(configuration.draft, style) if configuration.HasField("draft") else "none"),
        *(grant_facts(configuration.grant) if configuration.HasField("grant") else []),
        ("limits", _allowance(health.allowance) if health.HasField("allowance") else ""),
        ("consent", session_fact(configuration.consent) if configuration.HasField("consent") else ""),
        ("changed", instant(configuration.update_time)),
        ("etag", configuration.etag),
    ]
    lines = [heading, *labelled(facts), *draw_warnings(health.warnings, style)]
    if configuration.draft.state == api.REVISION_STATE_NEEDS_AUTHORIZATION:
        name = configuration.configuration_id
        lines.append(f"  {style.arrow} mailport authorize {name} asks for the consent that the draft needs")
    for forecast in health.forecasts:
        when = instant(forecast.expected_time)
        lines.append(f"  {style.caution} {when}: {plain(forecast.message)}")
        if forecast.remedy:
            lines.append(f"    {style.arrow} {plain(forecast.remedy)}")
    if health.allowance.HasField("failure"):
        lines += draw_failure(health.allowance.failure, style, indent="  ")
    if health.HasField("failure"):
        lines += draw_failure(health.failure, style, indent="  ")
    if configuration.consent.HasField("failure"):
        lines += draw_failure(configuration.consent.failure, style, indent="  ")
    return lines


def _allowance(allowance: api.SendingAllowance) -> str:
    limits = allowance.limits
    facts = [
        f"{limits.max_connections} connections" if limits.max_connections else "",
        f"{limits.messages_per_minute} messages a minute" if limits.messages_per_minute else "",
        f"{limits.messages_per_day} messages a day" if limits.messages_per_day else "",
        f"{limits.recipients_per_day} recipients a day" if limits.recipients_per_day else "",
        f"lowered to {allowance.percent} %" if allowance.percent < 100 else "",
        f"mail waits until {instant(allowance.wait_time)}" if allowance.HasField("wait_time") else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def draw_configurations(configurations: Sequence[api.Configuration], style: Style) -> list[str]:
    """Returns a table of configurations."""
    if not configurations:
        return ["No configurations. Make one with: mailport configure ID …"]
    rows = [("CONFIGURATION", "HEALTH", "FROM", "THROUGH", "REVISIONS")]
    for configuration in configurations:
        active = configuration.HasField("active")
        settings = configuration.active.settings if active else configuration.draft.settings
        revisions = [f"active {configuration.active.number}"] if active else []
        revisions += [f"draft {configuration.draft.number}"] if configuration.HasField("draft") else []
        rows.append(
            (
                configuration.configuration_id,
                health_word(configuration.health),
                plain(settings.from_address),
                through(settings),
                ", ".join(revisions),
            )
        )
    heading, *rest = aligned(rows)
    return [style.faint(heading), *rest]


def health_word(health: api.ConfigurationHealth) -> str:
    """Returns the state of health, e.g. ``at risk``."""
    if health.state == api.HEALTH_STATE_NOT_CONFIGURED:
        return "not in use yet"
    return word(api.HealthState.DESCRIPTOR, health.state, prefix="HEALTH_STATE_")


def security_word(security: api.ConnectionSecurity.ValueType) -> str:
    """Returns how a connection is secured, e.g. ``implicit tls``."""
    return word(api.ConnectionSecurity.DESCRIPTOR, security, prefix="CONNECTION_SECURITY_")


def through(settings: api.Settings) -> str:
    """Returns the way mail leaves, e.g. ``smtp.example.com:587 starttls``."""
    match settings.WhichOneof("transport"):
        case "smtp":
            host = settings.smtp.host
            host = f"[{host}]" if ":" in host else host
            return f"{plain(host)}:{settings.smtp.port} {security_word(settings.smtp.security)}"
        case "graph":
            return plain(settings.graph.base_url) or "Microsoft Graph"
        case _:
            return ""


def sign_in(settings: api.Settings) -> str:
    """Returns how the account signs in, e.g. ``robot@example.com with a password``; never a secret."""
    match settings.WhichOneof("authentication"):
        case "basic":
            stored = "a password" if settings.basic.password_set else "no password stored"
            return f"{plain(settings.basic.username)} with {stored}"
        case "oauth":
            provider = word(api.OauthProvider.DESCRIPTOR, settings.oauth.provider, prefix="OAUTH_PROVIDER_")
            return f"{plain(settings.oauth.username)} with {_means(settings.oauth)} at {provider}"
        case _:
            return "no sign-in"


def mailbox(settings: api.Settings) -> str:
    """Returns the mailbox that is read, e.g. ``reads robot@example.com at imap.example.com:993``; empty for none."""
    if not settings.HasField("mailbox"):
        return ""
    box = settings.mailbox
    host = f"[{box.host}]" if ":" in box.host else box.host
    means = "consent" if box.use_oauth else "a password" if box.password_set else "no password stored"
    return f"reads {plain(box.email)} at {plain(host)}:{box.port} {security_word(box.security)} with {means}"


def _means(oauth: api.OAuthAuthentication) -> str:
    match oauth.grant_type:
        case api.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS:
            return "an app's own credentials"
        case api.OAUTH_GRANT_TYPE_JWT_BEARER:
            return "a service account"
        case _:
            return "consent"


def _revision(revision: api.Revision, style: Style) -> str:
    settings = revision.settings
    state = word(api.RevisionState.DESCRIPTOR, revision.state, prefix="REVISION_STATE_")
    name = f"{plain(settings.from_name)} " if settings.from_name else ""
    facts = [
        f"revision {revision.number}, {state}",
        f"{name}<{plain(settings.from_address)}>",
        through(settings),
        sign_in(settings),
        mailbox(settings),
        f"proven {proven}" if (proven := instant(revision.validate_time)) else "",
    ]
    return style.separator.join(fact for fact in facts if fact)
