"""Options of `configure` for who sends, and how mail leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mailport.v1 import configuration_pb2 as api
from service.cli.choices import MinimumTls, Policy, Security, policy_value, security_value, tls_value
from service.cli.files import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderOptions:
    """Who everything is sent by, and from where."""

    from_address: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Sender of everything.")] = ""
    from_name: Annotated[str, typer.Option(metavar="NAME", help="Name shown beside it.")] = ""
    allow_from: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Further sender that a message may name; repeatable.")
    ] = None
    data_center: Annotated[str, typer.Option(metavar="NAME", help="Site whose workers open the connections.")] = ""
    data_center_policy: Annotated[Policy | None, typer.Option(help="What to do when that site is away.")] = None

    def write(self, settings: api.Settings) -> None:
        """Puts the values into *settings*."""
        settings.from_address = self.from_address
        settings.from_name = self.from_name
        settings.allowed_from.extend(self.allow_from or ())
        settings.data_center = self.data_center
        settings.data_center_policy = policy_value(self.data_center_policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpOptions:
    """The mail server."""

    smtp: Annotated[str, typer.Option(metavar="HOST:PORT", help="Mail server, e.g. smtp.example.com:587.")] = ""
    host: Annotated[str, typer.Option(metavar="HOST", help="The same in two options.")] = ""
    port: Annotated[int | None, typer.Option(metavar="PORT", help="See --host.")] = None
    security: Annotated[Security | None, typer.Option(help="Default: by port, 465 implicit-tls, else starttls.")] = None
    min_tls: Annotated[MinimumTls | None, typer.Option(help="Lowest TLS version to accept. Default: 1.2.")] = None
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Authorities trusted for the mail server (PEM).")
    ] = None
    ehlo_name: Annotated[str, typer.Option(metavar="NAME", help="Name to greet the server with.")] = ""

    def write(self, settings: api.Settings) -> None:
        """Puts the values into *settings*; leaves the transport unset when there are none."""
        if self == SmtpOptions():
            return
        host, port = self._server()
        certificates = "" if self.ca_file is None else read_text(self.ca_file, option="--ca-file")
        settings.smtp.CopyFrom(
            api.SmtpTransport(
                host=host,
                port=port,
                security=security_value(self.security),
                minimum_tls_version=tls_value(self.min_tls),
                ca_certificates=certificates,
                ehlo_name=self.ehlo_name,
            )
        )

    def _server(self) -> tuple[str, int]:
        if not self.smtp:
            return self.host, checked_port(self.port or 0, option="--port")
        if self.host or self.port is not None:
            raise typer.BadParameter("give either --smtp or --host with --port", param_hint="--smtp")
        return split_server(self.smtp, option="--smtp")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """Microsoft Graph, the "API" communication type."""

    graph: Annotated[bool, typer.Option("--graph", help="Send through Microsoft Graph instead of a mail server.")] = (
        False
    )
    graph_url: Annotated[str, typer.Option(metavar="URL", help="Its root, for national clouds.")] = ""
    graph_mailbox: Annotated[str, typer.Option(metavar="ADDRESS", help="Shared mailbox to send from.")] = ""
    save_to_sent_items: Annotated[bool | None, typer.Option(help="Keep a copy in Sent Items. Default: yes.")] = None

    def write(self, settings: api.Settings) -> None:
        """Puts the values into *settings*; leaves the transport unset when there are none."""
        if self == GraphOptions():
            return
        if settings.HasField("smtp"):
            raise typer.BadParameter("mail leaves by SMTP or by Graph, not by both", param_hint="--graph")
        settings.graph.SetInParent()
        settings.graph.base_url = self.graph_url
        settings.graph.mailbox = self.graph_mailbox
        if self.save_to_sent_items is not None:
            settings.graph.save_to_sent_items = self.save_to_sent_items


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """How much may be sent; what is left out is the provider's."""

    max_connections: Annotated[int | None, typer.Option(metavar="N", help="Connections at once, 1 to 100.")] = None
    messages_per_minute: Annotated[int | None, typer.Option(metavar="N", help="Messages in any minute.")] = None
    messages_per_day: Annotated[int | None, typer.Option(metavar="N", help="Messages in any 24 hours.")] = None
    recipients_per_day: Annotated[int | None, typer.Option(metavar="N", help="Recipients in any 24 hours.")] = None

    def write(self, settings: api.Settings) -> None:
        """Puts the values into *settings*; leaves the limits unset when there are none. Raises typer.BadParameter."""
        if self == LimitOptions():
            return
        settings.limits.CopyFrom(
            api.SendingLimits(
                max_connections=checked_count(self.max_connections, option="--max-connections"),
                messages_per_minute=checked_count(self.messages_per_minute, option="--messages-per-minute"),
                messages_per_day=checked_count(self.messages_per_day, option="--messages-per-day"),
                recipients_per_day=checked_count(self.recipients_per_day, option="--recipients-per-day"),
            )
        )


def checked_count(number: int | None, *, option: str) -> int:
    """Returns *number*, 0 for None, where the API has room for it; mailport says which are good."""
    if number is not None and not -(2**31) <= number < 2**31:
        raise typer.BadParameter(f"{number} is too much", param_hint=option)
    return number or 0


def split_server(text: str, *, option: str) -> tuple[str, int]:
    """Splits ``host:port``; whether the host is one is for mailport to say. Raises typer.BadParameter."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit():
        raise typer.BadParameter(f"{text!r} is not host:port, e.g. smtp.example.com:587", param_hint=option)
    return host.removeprefix("[").removesuffix("]"), checked_port(int(port), option=option)


def checked_port(port: int, *, option: str) -> int:
    """Returns *port* where the API has room for it; mailport says which ports are good."""
    if not -(2**31) <= port < 2**31:
        raise typer.BadParameter(f"{port} is no port; ports run from 1 to 65535", param_hint=option)
    return port
