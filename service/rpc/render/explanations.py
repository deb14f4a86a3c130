"""What an answer means."""

from __future__ import annotations

from domain.failures.explain import Explanation
from mailport.v1 import mail_service_pb2
from service.rpc.render.failures import render_failure


def render_explained(explanation: Explanation) -> mail_service_pb2.ExplainResponse:
    """Returns the explanation as callers see it."""
    return mail_service_pb2.ExplainResponse(
        failure=render_failure(explanation.failure),
        recognized=explanation.is_recognized,
        help_url=explanation.help_url,
    )
