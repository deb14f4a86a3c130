"""Fixes that a failure offers, as a person passes them on: ``settings.smtp.port=465``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import typer
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from mailport.v1 import configuration_pb2
from service.cli.protojson import without_values

_OPTION: Final = "--apply-fix"
_ROOT: Final = "settings."
SECRET_OPTIONS: Final = {
    "password": "--password-file or --password-stdin, or --mailbox-password-file for the mailbox",
    "client_secret": "--client-secret-file",
}
"""Fields that hold secrets, by the options that take them: the command line is in the shell's history and in ps."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of the settings, and what it is set to."""

    path: tuple[str, ...]
    """The field's names from the settings down."""
    value: str


def split_fix(text: str) -> Change:
    """
    Takes ``field=value`` apart as a failure's fix writes them.

    Raises typer.BadParameter for what is none; the value, which may be secret, is not told.
    """
    field, separator, value = text.partition("=")
    path = tuple(field.removeprefix(_ROOT).split("."))
    if not separator or not field.startswith(_ROOT) or not all(path):
        raise typer.BadParameter(f"{field!r} is no FIELD=VALUE, e.g. settings.smtp.port=465", param_hint=_OPTION)
    return Change(path, value)


def apply_change(settings: configuration_pb2.Settings, change: Change) -> None:
    """
    Sets the field in *settings*; a member of a oneof takes the place of the other, an empty value clears.

    Raises typer.BadParameter for a field that there is not, that does not take the value, or that holds a secret.
    """
    *parents, name = change.path
    message: Any = settings
    for parent in parents:
        field = _field(message.DESCRIPTOR, parent, change)
        # A fix of settings that have no such part would make a part that is nearly empty.
        if field.message_type is None or not message.HasField(field.name):
            raise _no_field(change)
        message = getattr(message, field.name)
    field = _field(message.DESCRIPTOR, name, change)
    _refuse_secret(name)
    message.ClearField(field.name)
    if change.value == "":
        return
    try:
        value = _json(field, change.value)
        if field.message_type is not None:
            _refuse_secrets_within(value)
        ParseDict({field.name: value}, message)
    except (ParseError, ValueError) as error:
        told = without_values(error) if isinstance(error, ParseError) else "it is no JSON"
        raise typer.BadParameter(f"{'.'.join(change.path)}: {told}", param_hint=_OPTION) from None


def _refuse_secret(name: str) -> None:
    option = SECRET_OPTIONS.get(name)
    if option is not None:
        raise typer.BadParameter(f"{name} is a secret and not for the command line; use {option}", param_hint=_OPTION)


def _refuse_secrets_within(value: Any) -> None:
    """Refuses a part of the settings that has a secret, by either name that JSON has for it."""
    if isinstance(value, list):
        for item in value:
            _refuse_secrets_within(item)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_secret("client_secret" if name == "clientSecret" else name)
            _refuse_secrets_within(inner)


def _json(field: FieldDescriptor, value: str) -> Any:
    if field.is_repeated:
        return value.split()
    if field.message_type is not None or field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return json.loads(value)
    return value


def _field(descriptor: Descriptor, name: str, change: Change) -> FieldDescriptor:
    field = descriptor.fields_by_name.get(name)
    if field is None:
        raise _no_field(change)
    return field


def _no_field(change: Change) -> typer.BadParameter:
    return typer.BadParameter(f"the stored settings have no field {'.'.join(change.path)}", param_hint=_OPTION)
