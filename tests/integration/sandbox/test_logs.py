from __future__ import annotations

import asyncio
import logging

import pytest

from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import send


async def test_given_loggers_at_debug_when_sending_then_nothing_of_the_mail_or_the_account_is_logged(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="mail.log")
    logging.getLogger("test").debug("the capture works")

    await asyncio.to_thread(send, sandbox, "canary@example.test", raw=b"Subject: canary\r\n\r\ncanary\r\n")

    assert "the capture works" in caplog.text
    assert "canary" not in caplog.text
    assert sandbox.password not in caplog.text
    assert sandbox.username not in caplog.text
