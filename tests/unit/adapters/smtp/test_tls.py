from __future__ import annotations

import ssl
from datetime import timedelta

import pytest

from adapters.smtp.tls import TlsContexts, new_context
from domain.connection import TlsVersion
from tests.fakes.environment import FakeClock
from tests.peers.ca import TestCA


@pytest.mark.parametrize("minimum", list(TlsVersion))
def test_given_any_minimum_when_a_context_is_made_then_it_verifies_chain_and_name(
    ca: TestCA, minimum: TlsVersion
) -> None:
    context = new_context(minimum, ca.pem, None)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("minimum", "level"), [(TlsVersion.TLS_1_0, 0), (TlsVersion.TLS_1_1, 0), (TlsVersion.TLS_1_2, None)]
)
def test_given_an_old_minimum_when_a_context_is_made_then_the_security_level_is_lowered_there_alone(
    ca: TestCA, minimum: TlsVersion, level: int | None
) -> None:
    usual = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).security_level

    context = new_context(minimum, ca.pem, None)

    assert context.security_level == (usual if level is None else level)


async def test_given_equal_settings_when_asked_again_then_the_context_is_kept_for_an_hour(ca: TestCA) -> None:
    clock = FakeClock()
    contexts = TlsContexts(clock=clock, ca_file=ca.path)

    first = await contexts.get(TlsVersion.TLS_1_2, "")
    clock.advance(timedelta(minutes=59))
    again = await contexts.get(TlsVersion.TLS_1_2, "")
    clock.advance(timedelta(minutes=2))
    later = await contexts.get(TlsVersion.TLS_1_2, "")

    assert first is again
    assert later is not first


async def test_given_different_settings_when_asked_then_no_context_is_shared(ca: TestCA) -> None:
    contexts = TlsContexts(clock=FakeClock(), ca_file=ca.path)

    made = [await contexts.get(minimum, pem) for minimum in TlsVersion for pem in ("", ca.pem)]

    assert len(set(map(id, made))) == len(made)


async def test_given_many_private_authorities_when_asked_then_the_oldest_contexts_go(ca: TestCA) -> None:
    contexts = TlsContexts(clock=FakeClock(), ca_file=ca.path)
    first = await contexts.get(TlsVersion.TLS_1_2, ca.pem)

    for number in range(64):
        await contexts.get(TlsVersion.TLS_1_2, f"{ca.pem}\n# {number}\n")

    assert await contexts.get(TlsVersion.TLS_1_2, ca.pem) is not first


def test_given_no_pem_when_a_context_is_made_then_it_is_refused() -> None:
    with pytest.raises((ssl.SSLError, ValueError)):
        new_context(TlsVersion.TLS_1_2, "no PEM", None)
