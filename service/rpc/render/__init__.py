"""The only writer of responses: domain to protobuf. Never a secret."""

from __future__ import annotations

from service.rpc.render.configurations import render_configuration, render_warnings
from service.rpc.render.consents import render_authorization, render_completed, render_revocation, render_revoked
from service.rpc.render.deliveries import render_delivery, render_watched
from service.rpc.render.explanations import render_explained
from service.rpc.render.failures import render_failure, render_trace
from service.rpc.render.mailboxes import (
    render_folders,
    render_mail_page,
    render_moved,
    render_piece,
    render_watched_mail,
)
from service.rpc.render.options import render_options
from service.rpc.render.pages import render_configurations_page, render_deliveries_page
from service.rpc.render.proofs import render_account_checked, render_test_sent, render_validated

__all__ = [
    "render_account_checked",
    "render_authorization",
    "render_completed",
    "render_configuration",
    "render_configurations_page",
    "render_deliveries_page",
    "render_delivery",
    "render_explained",
    "render_failure",
    "render_folders",
    "render_mail_page",
    "render_moved",
    "render_options",
    "render_piece",
    "render_revocation",
    "render_revoked",
    "render_test_sent",
    "render_trace",
    "render_validated",
    "render_warnings",
    "render_watched",
    "render_watched_mail",
]
