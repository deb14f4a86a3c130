from __future__ import annotations

import pytest

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from service.terminal.configurations import draw_configuration, draw_configurations, sign_in
from service.terminal.deliveries import draw_deliveries, draw_delivery
from service.terminal.failures import draw_failure
from service.terminal.style import Style
from service.terminal.traces import draw_trace
from tests.unit.service.cli.samples import (
    a_configuration,
    a_delivery,
    a_denial,
    a_failure,
    a_grant,
    a_revision,
    a_session,
    a_trace,
    a_warning,
    at,
)

ASCII = Style()


def test_given_a_terminal_without_unicode_when_a_trace_is_drawn_then_the_tree_is_ascii() -> None:
    lines = draw_trace(a_trace(succeeded=False), ASCII)

    assert lines == [
        "  | + CONNECT   31 ms  192.0.2.10:587",
        "  | + TLS      4.2 ms  TLSv1.3, TLS_AES_256_GCM_SHA384, certificate smtp.example.com by Example CA until "
        "2026-03-01 12:00:00Z",
        "  ` x AUTH      2.5 s  PLAIN | 535 5.7.8 Bad credentials",
    ]


def test_given_an_empty_trace_when_drawn_then_there_are_no_lines() -> None:
    assert draw_trace(failure_pb2.Trace(), ASCII) == []


def test_given_a_code_that_the_reply_does_not_repeat_when_drawn_then_both_are_shown() -> None:
    failure = failure_pb2.Failure(reason="X", provider_code="invalid_grant", provider_reply="Token has been revoked.")

    lines = draw_failure(failure, ASCII)

    assert lines[1:] == ["  answer  invalid_grant Token has been revoked."]


def test_given_an_ill_configuration_when_drawn_then_warnings_forecasts_and_the_failure_are_told() -> None:
    health = configuration_pb2.ConfigurationHealth(
        state=configuration_pb2.HEALTH_STATE_MISCONFIGURED,
        warnings=[a_warning()],
        forecasts=[
            configuration_pb2.Forecast(
                reason="CLIENT_SECRET_EXPIRING", expected_time=at(), message="The secret ends.", remedy="Make another."
            )
        ],
        failure=a_failure(),
    )

    lines = draw_configuration(a_configuration(health=health), ASCII)

    assert lines[0] == "alerts  misconfigured"
    assert "  ! settings.smtp.minimum_tls_version: TLS 1.0 is deprecated." in lines
    assert lines[lines.index("  ! 2026-03-01 12:00:00Z: The secret ends.") + 1] == "    -> Make another."
    assert "  x AUTH_REJECTED | at AUTH | misconfigured" in lines


def test_given_an_allowance_when_drawn_then_limits_lowering_and_waiting_are_told() -> None:
    allowance = configuration_pb2.SendingAllowance(
        limits=configuration_pb2.SendingLimits(max_connections=1, messages_per_minute=15, recipients_per_day=10_000),
        percent=50,
        wait_time=at(),
        failure=a_failure(),
    )
    health = configuration_pb2.ConfigurationHealth(allowance=allowance)

    lines = draw_configuration(a_configuration(health=health), ASCII)

    (line,) = [each for each in lines if each.lstrip().startswith("limits")]
    assert line.split(None, 1)[1] == (
        "1 connections, 15 messages a minute, 10000 recipients a day, lowered to 50 %, "
        "mail waits until 2026-03-01 12:00:00Z"
    )
    assert "  x AUTH_REJECTED | at AUTH | misconfigured" in lines


@pytest.mark.parametrize(
    ("grant_type", "words"),
    [
        (configuration_pb2.OAUTH_GRANT_TYPE_AUTHORIZATION_CODE, "consent"),
        (configuration_pb2.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS, "an app's own credentials"),
        (configuration_pb2.OAUTH_GRANT_TYPE_JWT_BEARER, "a service account"),
    ],
)
def test_given_a_grant_type_when_drawn_then_it_says_how_the_account_signs_in(
    grant_type: configuration_pb2.OauthGrantType.ValueType, words: str
) -> None:
    oauth = configuration_pb2.OAuthAuthentication(
        provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM, username="me@example.com", grant_type=grant_type
    )

    assert sign_in(configuration_pb2.Settings(oauth=oauth)) == f"me@example.com with {words} at custom"


def test_given_an_account_with_consent_when_drawn_then_says_whose_and_since_when() -> None:
    settings = configuration_pb2.Settings(
        from_address="me@example.com",
        graph=configuration_pb2.GraphTransport(),
        oauth=configuration_pb2.OAuthAuthentication(
            provider=configuration_pb2.OAUTH_PROVIDER_MICROSOFT, username="me@example.com", client_secret_set=True
        ),
    )
    grant = configuration_pb2.Grant(
        state=configuration_pb2.GRANT_STATE_STALE, account="me@example.com", authorize_time=at()
    )

    text = "\n".join(draw_configuration(a_configuration(draft=a_revision(settings=settings), grant=grant), ASCII))

    assert "Microsoft Graph | me@example.com with consent at microsoft" in text
    assert "me@example.com, stale, since 2026-03-01 12:00:00Z" in text


def test_given_a_consent_when_drawn_then_grant_and_session_are_told_and_why_there_is_no_newer_grant() -> None:
    refused = a_session(configuration_pb2.CONSENT_STATE_REFUSED, failure=a_denial())
    grant = a_grant()
    grant.refresh_time.CopyFrom(at())

    lines = draw_configuration(a_configuration(grant=grant, consent=refused), ASCII)

    assert lines[3:7] == [
        "  grant         robot@example.com, fresh, since 2026-03-01 12:00:00Z, refreshed 2026-03-01 12:00:00Z",
        "  scopes        openid https://mail.example.com/",
        "  access token  until 2026-03-01 13:00:00Z, then refreshed",
        "  consent       refused, started 2026-03-01 12:00:00Z",
    ]
    assert lines[-4:] == [
        "  x AUTHORIZATION_DENIED | at CONSENT | reauthorize",
        "    cause   The user did not consent.",
        "    remedy  Authorize again and consent.",
        "    answer  access_denied",
    ]


def test_given_a_draft_without_consent_when_drawn_then_says_how_to_ask_for_it() -> None:
    draft = a_revision(state=configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION)

    without, with_it = (draw_configuration(a_configuration(draft=it), ASCII) for it in (draft, a_revision()))

    assert without[-1] == "  -> mailport authorize alerts asks for the consent that the draft needs"
    assert not any("authorize" in line for line in with_it)


def test_given_a_consent_under_way_when_drawn_then_says_until_when_and_where_it_comes_back() -> None:
    lines = draw_configuration(a_configuration(consent=a_session()), ASCII)

    assert "  consent  pending until 2026-03-01 12:10:00Z, back to http://127.0.0.1:8080/oauth/callback" in lines


def test_given_nothing_when_listed_then_says_so() -> None:
    assert draw_configurations([], ASCII) == ["No configurations. Make one with: mailport configure ID …"]
    assert draw_deliveries([], ASCII) == ["No deliveries."]


def test_given_a_delivery_on_its_way_when_drawn_then_each_recipient_and_what_comes_next_are_shown() -> None:
    recipients = [
        delivery_pb2.RecipientResult(
            address="a@example.com", state=delivery_pb2.RECIPIENT_STATE_SENT, provider_reply="250 Ok"
        ),
        delivery_pb2.RecipientResult(
            address="bob@example.com", state=delivery_pb2.RECIPIENT_STATE_REJECTED, provider_reply="550 5.1.1 Unknown"
        ),
        delivery_pb2.RecipientResult(address="c@example.com", state=delivery_pb2.RECIPIENT_STATE_PENDING),
    ]
    delivery = a_delivery(
        state=delivery_pb2.DELIVERY_STATE_RETRYING,
        recipients=recipients,
        final_time=None,
        next_attempt_time=at(),
        expire_time=at(),
        failure=a_failure(),
        attempts=[
            delivery_pb2.Attempt(number=1, start_time=at(), data_center="eu-1"),
            delivery_pb2.Attempt(number=2, start_time=at(), in_doubt=True),
        ],
    )

    lines = draw_delivery(delivery, ASCII)

    assert lines[0] == "! d-1  retrying"
    assert "  next attempt   2026-03-01 12:00:00Z" in lines
    assert "  gives up       2026-03-01 12:00:00Z" in lines
    assert "  + a@example.com    sent      250 Ok" in lines
    assert "  x bob@example.com  rejected  550 5.1.1 Unknown" in lines
    assert "  ! c@example.com    pending" in lines
    assert lines[-2:] == ["  attempt 1  2026-03-01 12:00:00Z, from eu-1", "  attempt 2  2026-03-01 12:00:00Z, in doubt"]


def test_given_many_recipients_when_listed_then_the_first_and_their_number_are_shown() -> None:
    recipients = [delivery_pb2.RecipientResult(address=f"{name}@example.com") for name in "abc"]

    lines = draw_deliveries([a_delivery(recipients=recipients)], ASCII)

    assert lines[1].endswith("a@example.com and 2 others")
