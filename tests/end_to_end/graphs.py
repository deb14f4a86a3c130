"""What the end-to-end tests of Microsoft Graph share: settings for the sandbox's Graph, and what arrived there."""

from __future__ import annotations

from mailport.v1 import configuration_pb2
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.identity.behaviour import Behaviour
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import configure, consented, sandbox_settings, validate

ACCOUNT = "robot@sandbox.example"
SEND = "https://graph.microsoft.com/Mail.Send"
SEND_SHARED = "https://graph.microsoft.com/Mail.Send.Shared"
WRITE = "https://graph.microsoft.com/Mail.ReadWrite"
WRITE_SHARED = "https://graph.microsoft.com/Mail.ReadWrite.Shared"
SMTP = "https://outlook.office.com/SMTP.Send"
OFFLINE = "offline_access"


def graph_settings(
    mailport: Mailport, *scopes: str, account: str = ACCOUNT, mailbox: str = "", from_address: str = ""
) -> configuration_pb2.Settings:
    """Returns settings that send through the sandbox's Graph; without *scopes* with those of the preset."""
    settings = sandbox_settings(mailport, Behaviour.MICROSOFT, account)
    settings.graph.CopyFrom(configuration_pb2.GraphTransport(base_url=graph_root(mailport), mailbox=mailbox))
    settings.oauth.scopes[:] = [*scopes, OFFLINE] if scopes else []
    settings.from_address = from_address or mailbox or account
    return settings


def graph_root(mailport: Mailport) -> str:
    return mailport.sandbox.graph.root(mailport.service.web_url)


def simulator(mailport: Mailport) -> GraphSimulator:
    return mailport.sandbox.graph


async def ready(mailport: Mailport, settings: configuration_pb2.Settings, name: str = "alerts") -> None:
    """Configures, lets the account consent, and proves it."""
    await configure(mailport.stub, settings, name)
    await consented(mailport, settings.oauth.username, name)
    await validate(mailport.stub, name)
