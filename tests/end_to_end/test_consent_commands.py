"""The commands for consent, as processes against a whole mailport; the sandbox is the person and the browser."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from mailport.v1 import configuration_pb2, mail_service_pb2
from service.walk.simulated import ACCOUNT, browse, surroundings
from tests.end_to_end.conftest import Mailport

WITHIN = timedelta(seconds=60)


async def configured(mailport: Mailport) -> None:
    """Stores a draft whose account consents at the sandbox's strict provider."""
    settings = mailport.settings()
    settings.from_address = ACCOUNT
    settings.oauth.CopyFrom(surroundings(mailport.service.web_url, mailport.sandbox).oauth)
    await mailport.stub.Configure(mail_service_pb2.ConfigureRequest(configuration_id="office", settings=settings))


@asynccontextmanager
async def command(mailport: Mailport, *arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *arguments, "--server", mailport.service.grpc_address,
        stdin=PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: Process, given: str = "") -> tuple[int | None, str, str]:
    output, errors = await process.communicate(given.encode())
    return process.returncode, output.decode(), errors.decode()


async def address_of(process: Process) -> str:
    """Returns the address that a person is to open, as soon as it is printed."""
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode().strip():
        if line.startswith("http"):
            return line
        if line.endswith(":"):
            assert not (await process.stdout.readline()).strip()
    raise AssertionError("no address was printed")


async def test_given_a_person_who_consents_when_authorize_waits_then_it_ends_with_the_grant_and_revoke_ends_that(
    mailport: Mailport,
) -> None:
    await configured(mailport)

    async with command(mailport, "authorize", "office", "--save", "--no-browser") as process:
        landed = mailport.sandbox.identity.consent(await address_of(process), account=ACCOUNT)
        page = await browse(landed)
        authorized = await ended(process)
    async with command(mailport, "revoke", "office") as process:
        revoked = await ended(process)

    assert page.status_code == 200
    assert (authorized[0], authorized[2]) == (0, "")
    assert "office is authorized." in authorized[1]
    assert ACCOUNT in authorized[1]
    assert revoked[0] == 0
    assert "The provider has revoked the consent." in revoked[1]


async def test_given_a_person_who_cancels_when_authorize_waits_then_it_explains_the_refusal(
    mailport: Mailport,
) -> None:
    await configured(mailport)

    async with command(mailport, "authorize", "office", "--no-browser") as process:
        await browse(mailport.sandbox.identity.cancel(await address_of(process)))
        code, _, errors = await ended(process)

    assert code == 7
    assert "AUTHORIZATION_DENIED" in errors


async def test_given_a_browser_that_cannot_get_back_when_its_address_is_pasted_then_the_consent_is_complete(
    mailport: Mailport,
) -> None:
    await configured(mailport)
    elsewhere = ("--redirect-url", "http://127.0.0.1:9/oauth/callback")

    async with command(mailport, "authorize", "office", *elsewhere, "--no-browser", "--no-wait", "--json") as process:
        code, output, errors = await ended(process)
    assert (code, errors) == (0, "")
    landed = mailport.sandbox.identity.consent(json.loads(output)["authorizationUrl"], account=ACCOUNT)
    async with command(mailport, "complete-auth", "--json") as process:
        completed = await ended(process, f"{landed}\n")
    read = await mailport.stub.GetConfiguration(mail_service_pb2.GetConfigurationRequest(configuration_id="office"))

    assert (completed[0], completed[2]) == (0, "")
    assert json.loads(completed[1])["account"] == ACCOUNT
    assert read.configuration.consent.state == configuration_pb2.CONSENT_STATE_AUTHORIZED
    assert read.configuration.draft.state == configuration_pb2.REVISION_STATE_READY_TO_VALIDATE
