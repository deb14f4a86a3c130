"""What consents come to."""

from __future__ import annotations

from domain.grant import GrantRevocation
from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.render.configurations import render_configuration
from service.rpc.render.failures import render_failure
from service.rpc.render.values import enum_value, timestamp
from service.rpc.render.warnings import render_warnings
from service.usecases.authorize import Authorization
from service.usecases.complete_auth import Completed
from service.usecases.revoke_auth import Revoked


def render_authorization(authorization: Authorization) -> pb.AuthorizeResponse:
    """Returns the session; the address and the state are for the user's browser."""
    return pb.AuthorizeResponse(
        authorization_url=authorization.authorization_url,
        state=authorization.state,
        expire_time=timestamp(authorization.expire_time),
        redirect_url=authorization.redirect_url,
        warnings=render_warnings(authorization.warnings),
        page_refusals=[
            pb.PageRefusal(shown=page.shown, failure=render_failure(page.failure))
            for page in authorization.page_refusals
        ],
    )


def render_completed(completed: Completed) -> pb.CompleteAuthResponse:
    """Returns what was granted."""
    grant = completed.grant
    return pb.CompleteAuthResponse(
        authorized=True,
        granted_scopes=grant.granted_scopes,
        account=grant.account,
        access_token_expire_time=timestamp(grant.access_tokens[0].expire_time),
        warnings=render_warnings(completed.warnings),
        configuration=render_configuration(completed.view),
    )


def render_revoked(revoked: Revoked) -> pb.RevokeAuthResponse:
    """Returns what became of the grant."""
    return pb.RevokeAuthResponse(
        grant_revocation=render_revocation(revoked.revocation),
        configuration=render_configuration(revoked.view),
    )


def render_revocation(revocation: GrantRevocation) -> configuration_pb2.GrantRevocation.ValueType:
    """Returns the word of the API."""
    return enum_value(configuration_pb2.GrantRevocation, "GRANT_REVOCATION_", revocation)
