"""The command that explains a pasted answer; it calls nobody."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated, Final

import typer
from google.protobuf.json_format import MessageToJson

from domain.failures.evidence import Surface
from domain.failures.failure import Stage
from service.terminal.explanations import draw_explained
from service.terminal.style import Style

_STDIN: Final = "-"
_MOST_BYTES: Final = 128 * 1024
"""Of standard input; more than is read of any answer."""


class StageWord(StrEnum):
    """The step of an attempt, as options write it."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL_FROM = "mail-from"
    RCPT_TO = "rcpt-to"
    DATA = "data"
    API = "api"
    TOKEN = "token"
    CONSENT = "consent"
    MAILBOX = "mailbox"


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("explain")(explain)


def explain(
    text: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help="The answer, whole or in part; - reads standard input."),
    ],
    surface: Annotated[Surface | None, typer.Option(help="Where it comes from. Default: guessed.")] = None,
    provider: Annotated[
        str, typer.Option(metavar="ID", help="Whose answer it is, e.g. google. Default: guessed.")
    ] = "",
    stage: Annotated[StageWord | None, typer.Option(help="What was being done. Default: guessed.")] = None,
    http_status: Annotated[
        int, typer.Option(metavar="STATUS", help="The HTTP status it came with, 100 to 599; 0: none.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, the API's own.")] = False,
) -> None:
    """Explain a server's answer: what it means and what to do. Works offline; secrets in it are masked."""
    # Only here: the catalogue and the server's side would slow every other command's start.
    from service.rpc.render.explanations import render_explained
    from service.usecases.explain import PROVIDER_IDS, Question, explained

    answer = _standard_input() if text == [_STDIN] else " ".join(text)
    if not answer.strip():
        raise typer.BadParameter("there is no answer to explain", param_hint="TEXT")
    if http_status and not 100 <= http_status <= 599:
        raise typer.BadParameter(f"{http_status} is not from 100 to 599", param_hint="--http-status")
    known = provider.strip().lower()
    if known and known not in PROVIDER_IDS:
        raise typer.BadParameter(f"{provider!r} is none of {', '.join(PROVIDER_IDS)}", param_hint="--provider")
    question = Question(
        text=answer,
        surface=surface,
        provider=known,
        stage=Stage(stage.value.replace("-", "_").upper()) if stage else None,
        http_status=http_status,
    )
    response = render_explained(explained(question))
    if json:
        print(MessageToJson(response, always_print_fields_with_no_presence=True, ensure_ascii=False))
    else:
        print("\n".join(draw_explained(response, Style.of(sys.stdout, os.environ))))


def _standard_input() -> str:
    """Returns the beginning of standard input; what is no UTF-8 in it shows as a mark."""
    return sys.stdin.buffer.read(_MOST_BYTES).decode("utf-8", "replace")
