"""What a settings form can offer, as lines."""

from __future__ import annotations

from mailport.v1 import configuration_pb2 as api
from mailport.v1 import mail_service_pb2
from service.terminal.configurations import security_word
from service.terminal.style import Style
from service.terminal.words import aligned, plain, word


def draw_options(options: mail_service_pb2.GetOptionsResponse, style: Style) -> list[str]:
    """Returns the providers with their mail servers, then everything else a form needs."""
    rows = [("PROVIDER", "NAME", "MAIL SERVER", "PASSWORD", "OAUTH")]
    rows += [_provider(provider) for provider in options.providers]
    heading, *rest = aligned(rows)
    types = ", ".join(kind.display_name for kind in options.communication_types)
    versions = ", ".join(
        version.display_name + ("" if version.recommended else " (old)") for version in options.tls_versions
    )
    centers = ", ".join(center.data_center for center in options.data_centers)
    lines = [style.faint(heading), *rest, ""]
    return lines + aligned(
        [
            ("communication types", types),
            ("minimum TLS versions", versions),
            ("data centers", centers or "none"),
            ("callback URL", options.callback_url or "none"),
        ]
    )


def _provider(provider: api.ProviderPreset) -> tuple[str, str, str, str, str]:
    endpoint = provider.smtp_endpoints[0] if provider.smtp_endpoints else None
    return (
        provider.provider_id,
        plain(provider.display_name),
        f"{endpoint.host}:{endpoint.port} {security_word(endpoint.security)}" if endpoint else "",
        word(api.PasswordKind.DESCRIPTOR, provider.password_kind, prefix="PASSWORD_KIND_"),
        "yes" if provider.HasField("oauth") else "no",
    )
