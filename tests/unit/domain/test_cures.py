from __future__ import annotations

import pytest

from domain.connection import ConnectionSecurity, TlsVersion
from domain.cures import fitted, other_ways, with_ways
from domain.failures.catalogue import CATALOGUE
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.host import Host
from domain.ports.probe import Offer
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.model import GrantType, MailSettings
from tests.builders import a_graph_transport, a_mailbox, an_oauth_authentication, an_smtp_transport, some_settings

NONE, STARTTLS, IMPLICIT = ConnectionSecurity.NONE, ConnectionSecurity.STARTTLS, ConnectionSecurity.IMPLICIT_TLS
PLAIN = Offer(mechanisms=("PLAIN",))
SCOPES, TENANT, SECURITY = "settings.oauth.scopes", "settings.oauth.directory_tenant", "settings.smtp.security"
GRAPH = Fix("settings.graph", "{}", also=(Fix(SCOPES, "https://graph.microsoft.com/Mail.Send offline_access"),))
LOGIN = "https://login.microsoftonline.com/common/oauth2/v2.0"
MICROSOFT = an_oauth_authentication(
    provider=OAuthProvider.MICROSOFT,
    scopes=("https://outlook.office.com/SMTP.Send", "openid", "offline_access"),
    authorization_endpoint=f"{LOGIN}/authorize",
    token_endpoint=f"{LOGIN}/token",
    directory_tenant="common",
)


def settings_at(port: int, security: ConnectionSecurity, host: str = "smtp.example.com") -> MailSettings:
    return some_settings(transport=an_smtp_transport(host=Host(host), port=port, security=security))


def a_failure(reason: Reason, stage: Stage = Stage.TLS, *fixes: Fix) -> Failure:
    return Failure(reason=reason, kind=FailureKind.MISCONFIGURED, stage=stage, cause="No.", remedy="Do.", fixes=fixes)


def fixes_of(fix: Fix, settings: MailSettings) -> tuple[Fix, ...]:
    return fitted(a_failure(Reason.CLIENT_CONFIG, Stage.TOKEN, fix), settings).fixes


@pytest.mark.parametrize(
    ("reason", "stage", "port", "security", "expected"),
    [
        (Reason.TLS_MODE_MISMATCH, Stage.TLS, 2525, IMPLICIT, [(2525, STARTTLS), (587, STARTTLS), (465, IMPLICIT)]),
        (Reason.TLS_MODE_MISMATCH, Stage.EHLO, 465, STARTTLS, [(465, IMPLICIT), (587, STARTTLS)]),
        (Reason.STARTTLS_UNAVAILABLE, Stage.TLS, 587, STARTTLS, [(587, IMPLICIT), (465, IMPLICIT)]),
        (Reason.CONNECTION_REFUSED, Stage.CONNECT, 587, STARTTLS, [(465, IMPLICIT)]),
        (Reason.CONNECTION_TIMED_OUT, Stage.CONNECT, 25, STARTTLS, [(587, STARTTLS), (465, IMPLICIT)]),
        (Reason.TLS_REQUIRED, Stage.MAIL_FROM, 25, NONE, [(25, STARTTLS), (25, IMPLICIT), (587, STARTTLS),
                                                          (465, IMPLICIT)]),
        (Reason.CONNECTION_LOST, Stage.EHLO, 587, STARTTLS, [(587, IMPLICIT), (465, IMPLICIT)]),
        (Reason.CONNECTION_LOST, Stage.DATA, 587, STARTTLS, []),
        (Reason.AUTH_REJECTED, Stage.AUTH, 587, STARTTLS, []),
        (Reason.CERT_EXPIRED, Stage.TLS, 587, STARTTLS, []),
    ],
)  # fmt: skip
def test_given_a_failure_when_asked_for_other_ways_then_those_are_named_that_it_leaves_open(
    reason: Reason,
    stage: Stage,
    port: int,
    security: ConnectionSecurity,
    expected: list[tuple[int, ConnectionSecurity]],
) -> None:
    ways = other_ways(a_failure(reason, stage), settings_at(port, security))

    assert [(way.port, way.security) for way in ways] == expected


def test_given_a_known_provider_when_asked_for_other_ways_then_only_the_ports_that_it_serves_are_named() -> None:
    settings = settings_at(465, IMPLICIT, "smtp.office365.com")

    ways = other_ways(a_failure(Reason.CONNECTION_TIMED_OUT, Stage.CONNECT), settings)

    assert (587, STARTTLS) in [(way.port, way.security) for way in ways]
    assert 465 not in [way.port for way in ways]


def test_given_graph_when_asked_for_other_ways_then_there_are_none() -> None:
    settings = some_settings(transport=a_graph_transport(), authentication=MICROSOFT)

    assert other_ways(a_failure(Reason.CONNECTION_REFUSED, Stage.CONNECT), settings) == ()


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ({(587, STARTTLS): PLAIN}, [Fix(SECURITY, STARTTLS)]),
        ({(465, IMPLICIT): PLAIN}, [Fix("settings.smtp.port", "465")]),
        ({(25, STARTTLS): PLAIN}, [Fix("settings.smtp.port", "25", also=(Fix(SECURITY, STARTTLS),))]),
        ({(587, STARTTLS): Offer(mechanisms=("XOAUTH2",))}, []),
        ({(587, STARTTLS): Offer()}, []),
        ({(587, STARTTLS): Offer(is_trusted=False)}, [Fix(SECURITY, STARTTLS)]),
        ({(25, STARTTLS): Offer(is_trusted=False)}, []),
        ({(587, STARTTLS): Offer(is_trusted=False), (465, IMPLICIT): PLAIN}, [Fix("settings.smtp.port", "465")]),
        ({}, []),
    ],
)
def test_given_what_other_ways_offer_when_judged_then_only_those_that_serve_are_fixes(
    offers: dict[tuple[int, ConnectionSecurity], Offer], expected: list[Fix]
) -> None:
    settings = settings_at(587, IMPLICIT)
    ways = [an_smtp_transport(port=port, security=mode) for port, mode in ((587, STARTTLS), (465, IMPLICIT),
                                                                           (25, STARTTLS))]  # fmt: skip
    guessed = (Fix(SECURITY, "STARTTLS"), Fix("settings.smtp.minimum_tls_version", "TLS_1_2"))

    fixes = with_ways(guessed, settings, [(way, offers.get((way.port, way.security))) for way in ways])

    assert fixes == (*expected, guessed[1])


def test_given_no_sign_in_when_only_an_untrusted_other_port_speaks_then_it_is_no_fix() -> None:
    settings = some_settings(transport=an_smtp_transport(port=587), authentication=None)
    way = an_smtp_transport(port=465, security=IMPLICIT)

    assert with_ways((), settings, [(way, Offer(is_trusted=False))]) == ()
    assert with_ways((), settings, [(way, Offer())]) != ()


def test_given_a_token_account_when_a_way_offers_passwords_alone_then_it_does_not_serve() -> None:
    settings = some_settings(authentication=an_oauth_authentication())
    way = an_smtp_transport(port=465, security=IMPLICIT)

    assert with_ways((), settings, [(way, PLAIN)]) == ()
    assert with_ways((), settings, [(way, Offer(mechanisms=("OAUTHBEARER",)))]) != ()


@pytest.mark.parametrize(
    ("fix", "stays"),
    [
        (Fix(SECURITY, "STARTTLS"), False),
        (Fix(SECURITY, "IMPLICIT_TLS"), True),
        (Fix("settings.smtp.minimum_tls_version", TlsVersion.TLS_1_2), False),
        (Fix("settings.mailbox.security", "IMPLICIT_TLS"), False),
        (Fix(TENANT, "consumers"), False),
        (Fix(SCOPES, "https://outlook.office.com/SMTP.Send"), False),
        (GRAPH, False),
        (Fix("settings.data_center_policy", "PREFERRED"), True),
    ],
)
def test_given_settings_with_a_password_when_fitted_then_fixes_that_do_not_apply_or_change_nothing_go(
    fix: Fix, stays: bool
) -> None:
    assert fixes_of(fix, settings_at(587, STARTTLS)) == ((fix,) if stays else ())


def test_given_settings_that_send_by_graph_when_fitted_then_graph_is_no_fix() -> None:
    assert fixes_of(GRAPH, some_settings(authentication=MICROSOFT, transport=a_graph_transport())) == ()


def test_given_smtp_that_is_switched_off_at_exchange_when_explained_then_graph_is_advised() -> None:
    switched_off = [entry for entry in CATALOGUE if entry.help_url.endswith("smtp_auth_disabled")]

    assert switched_off
    assert all(entry.fixes == (GRAPH,) and "Microsoft Graph" in entry.remedy for entry in switched_off)


def test_given_microsoft_settings_when_fitted_then_graph_comes_with_its_scopes_beside_those_that_open_no_mail() -> None:
    settings = some_settings(authentication=MICROSOFT, mailbox=a_mailbox(password=None, use_oauth=True))

    (fix,) = fixes_of(GRAPH, settings)

    (scopes,) = fix.also
    assert scopes.value.split() == [
        "https://graph.microsoft.com/Mail.Send",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "openid",
        "offline_access",
    ]


def test_given_another_cloud_when_fitted_then_the_scopes_are_that_clouds() -> None:
    client = an_oauth_authentication(
        provider=OAuthProvider.MICROSOFT,
        token_endpoint="https://login.microsoftonline.us/common/oauth2/v2.0/token",
        scopes=("https://outlook.office.com/SMTP.Send",),
    )

    (fix,) = fixes_of(Fix(SCOPES, "https://outlook.office.com/SMTP.Send"), some_settings(authentication=client))

    assert fix.value == "https://outlook.office365.us/SMTP.Send offline_access"


def test_given_scopes_that_are_right_when_fitted_then_there_is_nothing_to_change() -> None:
    fix = Fix(SCOPES, "https://outlook.office.com/SMTP.Send offline_access")

    assert fixes_of(fix, some_settings(authentication=MICROSOFT)) == ()


def test_given_a_directory_when_fitted_then_the_endpoints_that_name_the_former_one_are_emptied() -> None:
    (fix,) = fixes_of(Fix(TENANT, "consumers"), some_settings(authentication=MICROSOFT))

    assert fix.changes == (
        Fix(TENANT, "consumers", also=fix.also),
        Fix("settings.oauth.authorization_endpoint", ""),
        Fix("settings.oauth.token_endpoint", ""),
    )
    assert fixes_of(Fix(TENANT, "common"), some_settings(authentication=MICROSOFT)) == ()


def test_given_an_app_of_its_own_or_another_provider_when_fitted_then_microsofts_fixes_go() -> None:
    app = an_oauth_authentication(provider=OAuthProvider.MICROSOFT, grant_type=GrantType.CLIENT_CREDENTIALS)

    assert fixes_of(GRAPH, some_settings(authentication=app)) == ()
    assert fixes_of(GRAPH, some_settings(authentication=an_oauth_authentication())) == ()
