"""Configurations with their revisions."""

from __future__ import annotations

from mailport.v1 import configuration_pb2 as pb
from service.rpc.render.health import render_health
from service.rpc.render.settings import render_settings
from service.rpc.render.values import enum_value, timestamp
from service.rpc.render.warnings import render_revision_warnings, render_warnings
from service.usecases.views import ConfigurationView, RevisionView

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
        create_time=timestamp(configuration.create_time),
        update_time=timestamp(configuration.update_time),
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
    )
