"""What a code is good for: refused with a reason and everything as it was, or a grant whose account is known (F34)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.consent import ConsentState
from domain.errors import ProviderRefused, SecretUnreadable
from domain.failures.evidence import Evidence, Surface
from domain.failures.explain import explain
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.reasons import Reason
from domain.resource import OUTLOOK
from domain.secret import Secret
from domain.settings.model import OAuthProvider
from domain.token import TokenAnswer, TokenRefusal
from tests.builders import (
    a_configuration,
    a_delivery,
    a_draft,
    a_failure,
    a_graph_transport,
    an_oauth_authentication,
    some_settings,
)
from tests.consent_builders import a_token_answer
from tests.fakes.authorization import Question, a_refusal, a_silence
from tests.fakes.environment import START
from tests.fakes.transport import Answer
from tests.fakes.vault import FakeVault
from tests.unit.service.consenting import begun, came_back, consented, oauth_settings, record_of
from tests.unit.service.world import World

GOOGLE = an_oauth_authentication(
    provider=OAuthProvider.GOOGLE,
    authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
    token_endpoint="https://oauth2.googleapis.com/token",
    scopes=("https://mail.google.com/",),
)
MICROSOFT = an_oauth_authentication(
    provider=OAuthProvider.MICROSOFT,
    authorization_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
    token_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/token",
    scopes=(
        "https://outlook.office.com/SMTP.Send",
        "https://graph.microsoft.com/Mail.Send",
        "offline_access",
    ),
)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (a_token_answer(refresh_token=None), Reason.REFRESH_TOKEN_MISSING),
        (a_token_answer(refresh_token=Secret("")), Reason.REFRESH_TOKEN_MISSING),
        (a_token_answer(scopes=("openid",)), Reason.MISSING_SCOPE),
        (a_token_answer(scopes=()), Reason.MISSING_SCOPE),
        (a_token_answer(account="mallory@example.com"), Reason.ACCOUNT_MISMATCH),
        (a_refusal("invalid_grant"), None),
        (a_refusal("invalid_client", status=401), None),
        (a_refusal("unauthorized_client"), None),
        (a_refusal("whatever", description="out of order", status=500), None),
        (a_silence(), None),
        (a_silence(was_sent=False), None),
    ],
    ids=[
        "no refresh token",
        "an empty refresh token",
        "another scope",
        "no scope",
        "another account",
        "code used",
        "client secret",
        "client",
        "server error",
        "silence",
        "unreachable",
    ],
)
async def test_given_an_exchange_that_is_not_enough_when_completed_then_all_is_as_it_was_and_the_record_says_why(
    told: TokenAnswer | TokenRefusal, reason: Reason | None
) -> None:
    """A failed consent changes nothing: the active revision and its grant go on sending."""
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()
    await world.accepted(a_delivery())
    authorization = await begun(world, save=True)
    before = world.snapshot()
    world.server.answers.append(told)

    with pytest.raises(ProviderRefused) as refused:
        await came_back(world, authorization)

    record = await record_of(world)
    expected = told.failure.reason if isinstance(told, TokenRefusal) else reason
    assert refused.value.reason is expected
    assert refused.value.remedy
    assert world.snapshot() == before
    assert (record.state, record.failure) == (ConsentState.REFUSED, refused.value.failure)
    assert [failure for _, failure in world.events.consented] == [refused.value.failure]
    assert (await world.attempted()).state.value == "SENT"
    assert world.transport.signed_in_with == ["AT1"]


ENTER_CLIENT = (
    "Enter the client's current ID and secret with Configure. Then call Authorize again: each consent is good for one "
    "exchange."
)


def microsofts_refusal(error: str, number: int) -> TokenRefusal:
    evidence = Evidence(
        surface=Surface.OAUTH_TOKEN, stage=Stage.TOKEN, code=400, error=error, subcode=f"AADSTS{number}", met_time=START
    )
    return TokenRefusal(failure=explain(evidence), error=error)


async def remedy_of(told: TokenRefusal) -> str:
    """Returns what helps when the exchange ends with *told*."""
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.answers.append(told)
    with pytest.raises(ProviderRefused) as refused:
        await consented(world)
    assert refused.value.failure.retry_time is None
    return refused.value.remedy


@pytest.mark.parametrize(
    "told",
    [
        a_refusal("invalid_client", status=401),
        microsofts_refusal("invalid_client", 7000215),
        microsofts_refusal("invalid_client", 7000222),
    ],
    ids=["RFC 6749", "the secret's ID", "an expired secret"],
)
async def test_given_a_client_that_is_refused_when_exchanged_then_the_remedy_is_the_client_and_another_consent(
    told: TokenRefusal,
) -> None:
    assert await remedy_of(told) == ENTER_CLIENT


async def test_given_a_client_without_the_right_grants_when_exchanged_then_its_own_remedy_stays() -> None:
    remedy = await remedy_of(a_refusal("unauthorized_client"))

    assert remedy.startswith("Register the client at the provider")
    assert remedy.endswith("Then call Authorize again: each consent is good for one exchange.")


async def test_given_a_code_that_is_not_accepted_when_exchanged_then_nothing_is_said_of_mail() -> None:
    remedy = await remedy_of(a_refusal("invalid_grant"))

    assert remedy.startswith("Call Authorize again and let the account's owner consent once more")
    assert "mail" not in remedy


@pytest.mark.parametrize(
    "told",
    [
        a_silence(),
        a_silence(was_sent=False),
        a_refusal("", status=503),
        a_refusal("", status=429),
        a_refusal("temporarily_unavailable"),
        microsofts_refusal("invalid_grant", 70000),
        microsofts_refusal("invalid_grant", 50196),
    ],
    ids=["silence", "unreachable", "server error", "throttled", "out of order", "perhaps passing", "Microsoft's loop"],
)
async def test_given_a_passing_fault_when_exchanged_then_nothing_is_said_of_mail_or_of_a_consent_that_stays(
    told: TokenRefusal,
) -> None:
    remedy = await remedy_of(told)

    assert remedy.startswith("Wait for ")
    assert "call Authorize" in remedy
    assert "message" not in remedy
    assert "not affected" not in remedy


async def test_given_too_little_scope_when_refused_then_the_missing_ones_are_named() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings(scopes=("mail", "contacts", "files"))))
    world.server.scopes = ("files",)

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    assert refused.value.metadata == {"missing_scopes": "mail contacts"}


@pytest.mark.parametrize("granted", [("b", "a"), ("a", "b", "c"), ("a", "a", "b")])
async def test_given_f30_scopes_in_another_order_or_more_of_them_when_judged_then_they_are_enough(
    granted: tuple[str, ...],
) -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings(scopes=("a", "b"))))
    world.server.scopes = granted

    assert set((await consented(world)).grant.granted_scopes) >= {"a", "b"}


async def test_given_f34_another_account_when_refused_then_both_are_named() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = "mallory@example.com"

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    assert refused.value.metadata == {"account": "mallory@example.com", "username": "robot@example.com"}
    assert "mallory@example.com" in refused.value.message


@pytest.mark.parametrize("account", ["robot@example.com", "Robot@Example.COM"])
async def test_given_the_settings_account_in_any_case_when_judged_then_nobody_is_asked_at_the_mail_server(
    account: str,
) -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = account

    completed = await consented(world)

    assert completed.grant.account == account
    assert world.transport.signed_in_with == []


async def test_given_f30_microsoft_when_exchanged_then_one_resource_is_asked_for() -> None:
    """Outlook and Graph from one consent; each token request is for one of them."""
    world = World()
    settings = some_settings(authentication=MICROSOFT)
    await world.given(a_draft(settings=settings))
    authorization = await begun(world)
    (session,) = (stored.session for stored in world.store.consents.values())
    world.server.nonce = session.nonce

    completed = await came_back(world, authorization)

    (asked,) = world.server.questions(Question.EXCHANGE)
    assert [token.resource for token in completed.grant.access_tokens] == [OUTLOOK]
    assert "https://outlook.office.com/SMTP.Send" in asked.scopes
    assert "https://graph.microsoft.com/Mail.Send" not in asked.scopes


async def test_given_an_id_token_of_another_session_when_judged_then_the_code_was_swapped() -> None:
    world = World()
    await world.given(a_draft(settings=some_settings(authentication=GOOGLE)))
    world.server.nonce = "of another session"

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    assert refused.value.reason is Reason.STATE_INVALID
    assert world.store.grants == {}


async def test_given_an_unknown_account_when_it_signs_in_then_it_is_the_settings_one() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = ""

    completed = await consented(world)

    assert completed.grant.account == "robot@example.com"
    assert completed.warnings == ()
    assert world.transport.signed_in_with == [completed.grant.access_tokens[0].token.reveal()]
    assert world.transport.accepted == []


async def test_given_an_unknown_account_when_signing_in_is_switched_off_then_that_is_said_and_not_another_account() -> (
    None
):
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = ""
    off = a_failure(FailureKind.MISCONFIGURED, reason=Reason.SMTP_AUTH_DISABLED, stage=Stage.AUTH, code="535 5.7.139")
    world.transport.answers.append(Answer(replace(off, fixes=(Fix("settings.graph", "{}"),))))

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    failure = refused.value.failure
    assert failure == replace(off, remedy=failure.remedy)
    assert failure.remedy.startswith(f"{off.remedy} Then call Authorize again"), "no grant was stored"
    assert refused.value.trace is not None


async def test_given_a_refused_code_when_its_fixes_do_not_fit_the_settings_then_they_are_left_out() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    tenant, port = Fix("settings.oauth.directory_tenant", "common"), Fix("settings.smtp.port", "465")
    told = a_refusal()
    world.server.answers.append(replace(told, failure=replace(told.failure, fixes=(tenant, port))))

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    assert refused.value.failure.fixes == (port,)


async def test_given_an_unknown_account_when_the_mail_server_does_not_let_it_in_then_it_is_another_one() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = ""
    world.transport.refuses = lambda _: True
    before = world.snapshot()

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    assert refused.value.reason is Reason.ACCOUNT_MISMATCH
    assert refused.value.failure.stage is Stage.CONSENT
    assert refused.value.trace is not None
    assert "robot@example.com" in refused.value.remedy
    assert world.snapshot() == before
    assert (await record_of(world)).failure == refused.value.failure


async def test_given_an_unknown_account_when_the_mail_server_lets_nobody_in_then_its_own_reason_is_told() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = ""
    switched_off = a_failure(
        FailureKind.MISCONFIGURED, reason=Reason.SMTP_AUTH_DISABLED, stage=Stage.AUTH, code="535 5.7.139"
    )
    world.transport.answers.append(Answer(failure=switched_off))

    with pytest.raises(ProviderRefused) as refused:
        await consented(world)

    failure = refused.value.failure
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.SMTP_AUTH_DISABLED,
        FailureKind.MISCONFIGURED,
        Stage.AUTH,
    )
    assert failure.remedy.startswith(switched_off.remedy)
    assert "Authorize" in failure.remedy
    assert world.store.grants == {}


@pytest.mark.parametrize(
    "failure",
    [
        a_failure(FailureKind.TRANSIENT, reason=Reason.CONNECTION_TIMED_OUT, stage=Stage.CONNECT, code=""),
        a_failure(FailureKind.MISCONFIGURED, reason=Reason.TLS_FAILED, stage=Stage.TLS, code=""),
        a_failure(FailureKind.TRANSIENT, reason=Reason.REFUSED_FOR_NOW, stage=Stage.AUTH, code="454 4.7.0"),
        a_failure(FailureKind.THROTTLED, reason=Reason.THROTTLED, stage=Stage.AUTH, code="421 4.7.0"),
    ],
    ids=["unreachable", "no TLS", "not just now", "too many sign-ins"],
)
async def test_given_an_unknown_account_when_the_mail_server_does_not_tell_then_the_consent_is_kept_with_a_warning(
    failure: Failure,
) -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.server.account = ""
    world.transport.answers.append(Answer(failure=failure))

    completed = await consented(world)

    (warning,) = completed.warnings
    assert (warning.field, warning.reason) == ("settings.oauth.username", Reason.ACCOUNT_MISMATCH)
    assert warning.remedy
    assert completed.grant.account == ""
    assert await world.grant() == completed.grant


async def test_given_an_unknown_account_when_mail_goes_by_api_then_there_is_a_warning_and_no_sign_in() -> None:
    world = World()
    client = an_oauth_authentication()
    await world.given(a_draft(settings=some_settings(transport=a_graph_transport(), authentication=client)))
    world.server.account = ""

    completed = await consented(world)

    assert [warning.reason for warning in completed.warnings] == [Reason.ACCOUNT_MISMATCH]
    assert world.transport.signed_in_with == []


async def test_given_a_verifier_that_does_not_open_when_exchanged_then_no_code_leaves() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    authorization = await begun(world)
    world.store.vault = FakeVault(keys=(2,))

    with pytest.raises(SecretUnreadable):
        await came_back(world, authorization)

    assert world.server.asked == []
    assert world.store.grants == {}
    assert (await record_of(world)).state is ConsentState.REFUSED
