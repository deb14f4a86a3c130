"""Warnings: what works today and may bite later."""

from __future__ import annotations

from collections.abc import Iterable

from domain.errors import Warning
from domain.reasons import Reason
from mailport.v1 import configuration_pb2 as pb
from service.usecases.views import RevisionView


def render_warnings(warnings: Iterable[Warning]) -> list[pb.SettingsWarning]:
    """Returns the warnings in their order."""
    return [
        pb.SettingsWarning(field=each.field, reason=each.reason.value, message=each.message, remedy=each.remedy)
        for each in warnings
    ]


def render_revision_warnings(view: RevisionView) -> list[pb.SettingsWarning]:
    """Returns what was found when the revision was written, and which of its secrets do not open any more."""
    unreadable = [
        Warning(
            field=field,
            reason=Reason.SECRET_UNREADABLE,
            message="What is stored here cannot be opened with the keys that mailport has.",
            remedy="Enter it again, or bring back the key that it was sealed with.",
        )
        for field in view.unreadable
    ]
    return render_warnings([*view.revision.warnings, *unreadable])
