"""
The six steps as a Python client of the API: options, configure, send a test, validate and save, send, follow.

Run it beside `make run`, with the mail server that step 2 of the walk names:

    .venv/bin/python examples/python_client.py --smtp HOST:PORT --ca-file sandbox-ca.pem \
        --username robot@sandbox.example --password-file sandbox-password --to you@sandbox.example
"""

# ruff: noqa: T201 - it writes for the person who runs it
from __future__ import annotations

import argparse
import sys
import uuid
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2, mail_service_pb2, mail_service_pb2_grpc

CONFIGURATION = "python-example"


def main() -> int:
    """Takes the steps; returns 1, having printed why, when mailport or the mail server refuses one."""
    asked = arguments()
    with grpc.insecure_channel(asked.server) as channel:
        try:
            journey(mail_service_pb2_grpc.MailServiceStub(channel), asked)
        except grpc.RpcError as error:
            print(explained(error), file=sys.stderr)
            return 1
    return 0


def journey(mail: mail_service_pb2_grpc.MailServiceStub, asked: argparse.Namespace) -> None:
    """Calls each RPC once. A deadline goes with every call; without one the service's own would end it."""
    options = mail.GetOptions(mail_service_pb2.GetOptionsRequest(), timeout=30)
    print(f"1 options: {len(options.providers)} providers known")

    configured = mail.Configure(
        mail_service_pb2.ConfigureRequest(configuration_id=CONFIGURATION, settings=settings(asked)), timeout=30
    )
    print(f"2 configured: draft revision {configured.configuration.draft.number}")

    tested = mail.SendTest(mail_service_pb2.SendTestRequest(configuration_id=CONFIGURATION, to=asked.to), timeout=60)
    print(f"3 tested: {tested.provider_reply}")

    validated = mail.ValidateAndSave(
        mail_service_pb2.ValidateAndSaveRequest(configuration_id=CONFIGURATION, user_email=asked.to), timeout=60
    )
    print(f"4 validated: revision {validated.configuration.active.number} is active")

    # The key makes the call safe to repeat: without an answer, call again with the same one.
    request = mail_service_pb2.SendRequest(
        configuration_id=CONFIGURATION,
        message=delivery_pb2.Message(
            to=[delivery_pb2.Address(address=asked.to)], subject="Hello", text_body="Sent from Python.\n"
        ),
        idempotency_key=str(uuid.uuid4()),
        wait=True,
    )
    delivery = mail.Send(request, timeout=60).delivery
    print(f"5 sent: delivery {delivery.delivery_id}")

    followed = mail.GetDelivery(
        mail_service_pb2.GetDeliveryRequest(delivery_id=delivery.delivery_id), timeout=30
    ).delivery
    print(f"6 followed: {delivery_pb2.DeliveryState.Name(followed.state)}")
    for recipient in followed.recipients:
        print(f"  {recipient.address}: {recipient.provider_reply}")


def settings(asked: argparse.Namespace) -> configuration_pb2.Settings:
    """Returns the settings of a mail account with user name and password."""
    host, _, port = asked.smtp.rpartition(":")
    return configuration_pb2.Settings(
        from_address=asked.username,
        smtp=configuration_pb2.SmtpTransport(
            host=host.strip("[]"),
            port=int(port),
            ca_certificates=asked.ca_file.read_text() if asked.ca_file else "",
        ),
        basic=configuration_pb2.BasicAuthentication(
            username=asked.username, password=asked.password_file.read_text().rstrip("\n")
        ),
    )


def explained(error: grpc.RpcError) -> str:
    """Returns why a call was refused: every wrong field, or what the mail server said and what to do about it."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    lines = [str(error) if status is None else status.message]
    for detail in status.details if status is not None else ():
        bad_request, failure = error_details_pb2.BadRequest(), failure_pb2.Failure()
        if detail.Unpack(bad_request):
            lines += [f"  {violation.field}: {violation.description}" for violation in bad_request.field_violations]
        elif detail.Unpack(failure):
            stage = failure_pb2.FailureStage.Name(failure.stage)
            reply = f": {failure.provider_reply}" if failure.provider_reply else ""
            lines.append(f"  {stage}{reply}")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:50051", help="where mailport is")
    parser.add_argument("--smtp", required=True, metavar="HOST:PORT", help="the mail server")
    parser.add_argument("--ca-file", type=Path, help="authorities to trust for it, where they are private")
    parser.add_argument("--username", required=True, help="the account, which is the sender too")
    parser.add_argument("--password-file", type=Path, required=True, help="holds its password")
    parser.add_argument("--to", required=True, help="your own address")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
