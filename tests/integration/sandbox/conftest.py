from __future__ import annotations

import smtplib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.sandbox.sandbox import Sandbox

SOON = timedelta(seconds=10)


@pytest.fixture(scope="session")
def certificates_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture
async def sandbox(certificates_folder: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(folder=certificates_folder, slow_answer_delay=timedelta(milliseconds=200)) as running:
        yield running


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=sandbox.site)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def trusting(sandbox: Sandbox) -> ssl.SSLContext:
    """A client context as strict as Python 3.13 makes it."""
    context = ssl.create_default_context(cadata=sandbox.ca_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


@contextmanager
def session(sandbox: Sandbox, *, starttls: bool = True, login: bool = True) -> Iterator[smtplib.SMTP]:
    """The standard library's client, to be used in a thread."""
    if starttls:
        client = smtplib.SMTP("127.0.0.1", sandbox.smtp_port, local_hostname="client.test", timeout=10)
        client.starttls(context=trusting(sandbox))
    else:
        client = smtplib.SMTP_SSL(
            "127.0.0.1", sandbox.smtps_port, local_hostname="client.test", timeout=10, context=trusting(sandbox)
        )
    try:
        client.ehlo()
        if login:
            client.login(sandbox.username, sandbox.password)
        yield client
    finally:
        client.close()


def send(sandbox: Sandbox, *recipients: str, raw: bytes = b"Subject: hello\r\n\r\nbody\r\n", **arguments: Any) -> Any:
    """Signs in and sends one message; returns the refused recipients, raises what smtplib raises."""
    with session(sandbox) as client:
        return client.sendmail("sender@example.test", list(recipients), raw, **arguments)
