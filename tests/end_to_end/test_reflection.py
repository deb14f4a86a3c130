"""The whole journey by a tool that has no proto of ours: it asks the server by reflection."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import Mailport

_BUF = Path(sys.executable).with_name("buf")


async def call(mailport: Mailport, method: str, request: dict[str, Any]) -> dict[str, Any]:
    """Calls an RPC as a person would with `buf curl`, and returns its JSON answer."""
    process = await asyncio.create_subprocess_exec(
        _BUF,
        "curl",
        "--protocol=grpc",
        "--http2-prior-knowledge",
        "--data=@-",
        f"http://{mailport.service.grpc_address}/mailport.v1.MailService/{method}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
    )
    answer, error = await process.communicate(json.dumps(request).encode())
    assert process.returncode == 0, error.decode()
    found: dict[str, Any] = json.loads(answer)
    return found


async def test_given_no_local_proto_when_buf_curl_makes_the_journey_then_the_mail_arrives(mailport: Mailport) -> None:
    sandbox = mailport.sandbox
    settings = {
        "from_address": "robot@sandbox.example",
        "smtp": {
            "host": "localhost",
            "port": sandbox.smtps_port,
            "security": "CONNECTION_SECURITY_IMPLICIT_TLS",
            "ca_certificates": sandbox.ca_pem,
        },
        "basic": {"username": sandbox.username, "password": sandbox.password},
    }
    message = {"to": [{"address": "anna@example.com"}], "subject": "From buf", "text_body": "Hello"}

    options = await call(mailport, "GetOptions", {})
    await call(mailport, "Configure", {"configuration_id": "alerts", "settings": settings})
    tested = await call(mailport, "SendTest", {"configuration_id": "alerts", "to": "admin@sandbox.example"})
    await call(mailport, "ValidateAndSave", {"configuration_id": "alerts", "user_email": "admin@sandbox.example"})
    sent = await call(
        mailport,
        "Send",
        {"configuration_id": "alerts", "message": message, "idempotency_key": "k1", "wait": True},
    )
    followed = await call(mailport, "GetDelivery", {"delivery_id": sent["delivery"]["deliveryId"]})

    assert {"google", "microsoft"} <= {provider["providerId"] for provider in options["providers"]}
    assert tested["tested"] == "TESTED_SETTINGS_DRAFT"
    assert followed["delivery"]["state"] == "DELIVERY_STATE_SENT"
    assert any(mail.subject == "From buf" for mail in sandbox.inbox)
