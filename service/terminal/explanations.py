"""An explained answer as lines."""

from __future__ import annotations

from mailport.v1 import mail_service_pb2
from service.terminal.failures import draw_failure
from service.terminal.style import Style
from service.terminal.words import labelled, plain


def draw_explained(response: mail_service_pb2.ExplainResponse, style: Style) -> list[str]:
    """Returns the failure, the provider's page, and whether the very answer is known."""
    lines = draw_failure(response.failure, style)
    if response.help_url:
        lines += labelled([("see", plain(response.help_url))])
    if not response.recognized:
        lines.append(f"  {style.caution} mailport does not know this very answer; this goes by its code and stage.")
    return lines
