"""Reads the comments of the proto files, which generated code does not carry, and walks the descriptors."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import mailport.v1
from mailport.v1 import (
    configuration_pb2,
    delivery_pb2,
    error_reason_pb2,
    failure_pb2,
    mail_service_pb2,
    mailbox_service_pb2,
)

FILES: tuple[FileDescriptor, ...] = (
    configuration_pb2.DESCRIPTOR,
    delivery_pb2.DESCRIPTOR,
    error_reason_pb2.DESCRIPTOR,
    failure_pb2.DESCRIPTOR,
    mail_service_pb2.DESCRIPTOR,
    mailbox_service_pb2.DESCRIPTOR,
)


def fields() -> Iterator[FieldDescriptor]:
    """Every field of every message of the API."""
    for file in FILES:
        for message in file.message_types_by_name.values():
            yield from message.fields


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of the API."""
    for file in FILES:
        for service in file.services_by_name.values():
            yield from service.methods


@cache
def read_comments() -> dict[str, str]:
    """Returns the comment of each message, field and enum value, by full name, its line breaks made blanks."""
    root = Path(str(resources.files(mailport.v1))).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "descriptors")
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}"]
        outcome = [f"--descriptor_set_out={out}", "--include_source_info"]
        subprocess.run([*protoc, *outcome, *(file.name for file in FILES)], check=True)
        described = FileDescriptorSet.FromString(out.read_bytes())
    return {name: comment for file in described.file for name, comment in _comments_of(file)}


def _comments_of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        if name := _name_at(file, tuple(location.path)):
            yield f"{file.package}.{name}", " ".join(location.leading_comments.split())


def _name_at(file: FileDescriptorProto, path: tuple[int, ...]) -> str:
    match path:
        case (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, message):
            return file.message_type[message].name
        case (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, message, 2, field):
            return f"{file.message_type[message].name}.{file.message_type[message].field[field].name}"
        case (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, enum, 2, value):
            return f"{file.enum_type[enum].name}.{file.enum_type[enum].value[value].name}"
        case _:
            return ""
