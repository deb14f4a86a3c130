"""What a settings form is told."""

from __future__ import annotations

from domain.providers import PROVIDERS
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render import render_options
from service.usecases.get_options import FormOptions

OPTIONS = FormOptions(
    providers=PROVIDERS, data_centers=("eu-1", "us-1"), callback_url="https://mail.example.com/oauth/callback"
)


def test_given_the_presets_when_rendered_then_each_is_told_whole() -> None:
    rendered = render_options(OPTIONS)

    assert [each.provider_id for each in rendered.providers] == [preset.provider_id for preset in PROVIDERS]
    google = rendered.providers[0]
    assert google.oauth.provider == pb.OAUTH_PROVIDER_GOOGLE
    assert list(google.oauth.smtp_scopes) == ["https://mail.google.com/"]
    assert google.smtp_endpoints[0].security == pb.CONNECTION_SECURITY_STARTTLS
    assert google.imap_endpoint.port == 993
    assert google.password_kind == pb.PASSWORD_KIND_APP
    assert google.limits.messages_per_day == 500
    assert google.limits.messages_per_minute == 0


def test_given_tls_versions_when_rendered_then_the_lowest_comes_first_and_two_are_recommended() -> None:
    rendered = render_options(OPTIONS)

    assert [(each.display_name, each.recommended) for each in rendered.tls_versions] == [
        ("TLS 1.0", False),
        ("TLS 1.1", False),
        ("TLS 1.2", True),
        ("TLS 1.3", True),
    ]


def test_given_communication_types_when_rendered_then_the_api_needs_oauth() -> None:
    rendered = render_options(OPTIONS)

    assert [(each.display_name, each.oauth_required) for each in rendered.communication_types] == [
        ("SMTP", False),
        ("API", True),
    ]


def test_given_data_centers_and_callback_when_rendered_then_they_are_told_in_order() -> None:
    rendered = render_options(OPTIONS)

    assert [each.data_center for each in rendered.data_centers] == ["eu-1", "us-1"]
    assert rendered.callback_url == "https://mail.example.com/oauth/callback"
