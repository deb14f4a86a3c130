"""What a settings form needs."""

from __future__ import annotations

from domain.connection import TlsVersion
from domain.providers.preset import CommunicationType, Limits, OAuthPreset, ProviderPreset, ServerEndpoint
from mailport.v1 import configuration_pb2 as pb
from mailport.v1 import mail_service_pb2
from service.rpc.render.values import enum_value
from service.usecases.get_options import FormOptions


def render_options(options: FormOptions) -> mail_service_pb2.GetOptionsResponse:
    """Returns the choices of a settings form."""
    return mail_service_pb2.GetOptionsResponse(
        providers=[_provider(preset) for preset in options.providers],
        tls_versions=[_tls_version(version) for version in TlsVersion],
        communication_types=[
            pb.CommunicationTypeOption(communication_type=pb.COMMUNICATION_TYPE_SMTP, display_name="SMTP"),
            pb.CommunicationTypeOption(
                communication_type=pb.COMMUNICATION_TYPE_GRAPH, display_name="API", oauth_required=True
            ),
        ],
        data_centers=[pb.DataCenterOption(data_center=name) for name in options.data_centers],
        callback_url=options.callback_url,
    )


def _tls_version(version: TlsVersion) -> pb.TlsVersionOption:
    return pb.TlsVersionOption(
        version=enum_value(pb.TlsVersion, "TLS_VERSION_", version, stem="TLS_"),
        display_name="TLS " + version.value.removeprefix("TLS_").replace("_", "."),
        recommended=version.is_recommended,
    )


def _provider(preset: ProviderPreset) -> pb.ProviderPreset:
    return pb.ProviderPreset(
        provider_id=preset.provider_id,
        display_name=preset.display_name,
        communication_types=[_communication_type(each) for each in preset.communication_types],
        smtp_endpoints=[_endpoint(each) for each in preset.smtp_endpoints],
        imap_endpoint=_endpoint(preset.imap_endpoint) if preset.imap_endpoint is not None else None,
        graph_base_url=preset.graph_base_url,
        password_kind=enum_value(pb.PasswordKind, "PASSWORD_KIND_", preset.password_kind),
        sign_in_hint=preset.sign_in_hint,
        oauth=_oauth(preset.oauth) if preset.oauth is not None else None,
        limits=_limits(preset.limits),
        regions=preset.regions,
        relay=preset.is_relay,
        notes=preset.notes,
    )


def _communication_type(kind: CommunicationType) -> pb.CommunicationType.ValueType:
    return enum_value(pb.CommunicationType, "COMMUNICATION_TYPE_", kind)


def _endpoint(endpoint: ServerEndpoint) -> pb.MailServerEndpoint:
    return pb.MailServerEndpoint(
        host=endpoint.host,
        port=endpoint.port,
        security=enum_value(pb.ConnectionSecurity, "CONNECTION_SECURITY_", endpoint.security),
    )


def _oauth(preset: OAuthPreset) -> pb.OAuthPreset:
    return pb.OAuthPreset(
        provider=enum_value(pb.OauthProvider, "OAUTH_PROVIDER_", preset.provider),
        authorization_endpoint=preset.authorization_endpoint,
        token_endpoint=preset.token_endpoint,
        revocation_endpoint=preset.revocation_endpoint,
        smtp_scopes=preset.smtp_scopes,
        graph_scopes=preset.graph_scopes,
        mailbox_scopes=preset.mailbox_scopes,
        common_scopes=preset.common_scopes,
    )


def _limits(limits: Limits) -> pb.ProviderLimits:
    return pb.ProviderLimits(
        messages_per_minute=limits.messages_per_minute or 0,
        messages_per_day=limits.messages_per_day or 0,
        recipients_per_message=limits.recipients_per_message or 0,
        recipients_per_day=limits.recipients_per_day or 0,
        message_size_bytes=limits.message_size_bytes or 0,
        connections=limits.connections or 0,
        mailbox_connections=limits.mailbox_connections or 0,
    )
