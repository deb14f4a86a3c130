"""Configurations with their revisions."""

from __future__ import annotations

from domain.consent import ConsentRecord
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render.failures import render_failure
from service.rpc.render.health import render_health
from service.rpc.render.settings import render_settings
from service.rpc.render.values import enum_value, timestamp
from service.rpc.render.warnings import render_revision_warnings, render_warnings
from service.usecases.views import ConfigurationView, GrantView, RevisionView

__all__ = ["render_configuration", "render_warnings"]


def render_configuration(view: ConfigurationView) -> pb.Configuration:
    """Returns the configuration as its owner may see it."""
    configuration = view.configuration
    return pb.Configuration(
        configuration_id=configuration.configuration_id,
        etag=configuration.etag,
        draft=_revision(view.draft) if view.draft is not None else None,
        active=_revision(view.active) if view.active is not None else None,
        health=render_health(view),
        grant=_grant(view.grant) if view.grant is not None else None,
        consent=_consent(view.consent) if view.consent is not None else None,
        create_time=timestamp(configuration.create_time),
        update_time=timestamp(configuration.update_time),
    )


def _grant(view: GrantView) -> pb.Grant:
    grant = view.grant
    word = grant.state if grant.is_dead else view.freshness
    return pb.Grant(
        state=enum_value(pb.GrantState, "GRANT_STATE_", word),
        account=grant.account,
        granted_scopes=grant.granted_scopes,
        authorize_time=timestamp(grant.authorize_time),
        access_token_expire_time=timestamp(view.access_token_expire_time),
        refresh_time=timestamp(grant.refresh_time),
    )


def _consent(record: ConsentRecord) -> pb.ConsentSession:
    return pb.ConsentSession(
        state=enum_value(pb.ConsentState, "CONSENT_STATE_", record.state),
        create_time=timestamp(record.create_time),
        expire_time=timestamp(record.expire_time),
        redirect_url=record.redirect_url,
        failure=render_failure(record.failure) if record.failure is not None else None,
    )


def _revision(view: RevisionView) -> pb.Revision:
    revision = view.revision
    return pb.Revision(
        number=revision.number,
        settings=render_settings(revision.settings),
        state=enum_value(pb.RevisionState, "REVISION_STATE_", view.state),
        warnings=render_revision_warnings(view),
        create_time=timestamp(revision.create_time),
        validate_time=timestamp(revision.validate_time),
        grant=_grant(view.grant) if view.grant is not None else None,
    )
