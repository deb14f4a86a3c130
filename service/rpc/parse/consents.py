"""What a browser brought back, as a caller hands it over."""

from __future__ import annotations

from domain.consent_callback import WrittenCallback
from domain.secret import Secret
from mailport.v1 import mail_service_pb2 as pb


def parse_callback(request: pb.CompleteAuthRequest) -> WrittenCallback:
    """Returns the callback, for the domain to judge."""
    return WrittenCallback(
        state=request.state,
        code=Secret(request.code),
        error=request.error,
        error_description=request.error_description,
        iss=request.iss,
        callback_url=Secret(request.callback_url),
    )
