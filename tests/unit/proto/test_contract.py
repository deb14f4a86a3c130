"""What holds for the whole API: secrets, times, sizes of lists, imports, and the domain's words."""

from __future__ import annotations

from enum import StrEnum

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from domain.configuration import RevisionState
from domain.connection import ConnectionSecurity, TlsVersion
from domain.delivery import DeliveryState, RecipientState
from domain.failures.failure import FailureKind, Stage
from domain.message import InDoubtPolicy
from domain.providers.preset import CommunicationType, OAuthProvider, PasswordKind
from domain.settings.model import DataCenterPolicy
from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from tests.unit.proto.comments import FILES, fields, methods, read_comments

SECRETS = ("password", "client_secret")

TIMESTAMP = "google.protobuf.Timestamp"


def names(found: list[FieldDescriptor]) -> list[str]:
    return [field.full_name for field in found]


def test_given_the_proto_files_when_their_imports_are_walked_then_only_well_known_types_are_foreign() -> None:
    imported = {dependency.name for file in FILES for dependency in file.dependencies}

    foreign = [name for name in imported if not name.startswith(("google/protobuf/", "mailport/v1/"))]

    assert "google/protobuf/timestamp.proto" in imported
    assert foreign == []


def test_given_a_secret_when_its_field_is_read_then_it_is_write_only_and_says_beside_it_whether_it_is_set() -> None:
    comments = read_comments()
    secrets = [field for field in fields() if field.name in SECRETS]

    readable = [field for field in secrets if "Write-only" not in comments[field.full_name]]
    without_sign = [field for field in secrets if f"{field.full_name}_set" not in comments]

    assert len(secrets) == 3
    assert names(readable) == []
    assert names(without_sign) == []


def test_given_a_field_named_after_a_token_when_the_api_is_walked_then_it_is_one_for_paging() -> None:
    tokens = {field.name for field in fields() if field.name.endswith(("token", "verifier", "secret", "key"))}

    assert tokens == {"client_secret", "idempotency_key", "next_page_token", "page_token"}


def test_given_an_instant_when_its_field_is_named_then_it_ends_in_time_and_nothing_else_does() -> None:
    instants = {field.full_name for field in fields() if is_instant(field)}

    named_so = {field.full_name for field in fields() if field.name.endswith("_time")}

    assert instants
    assert instants == named_so


def is_instant(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == TIMESTAMP


def test_given_a_list_rpc_when_its_messages_are_read_then_it_pages() -> None:
    listing = [method for method in methods() if method.name.startswith("List") and method.name != "ListFolders"]

    unpaged = [
        method.name
        for method in listing
        if not {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
        or "next_page_token" not in method.output_type.fields_by_name
    ]

    assert len(listing) == 3
    assert unpaged == []


@pytest.mark.parametrize(
    ("domain_enum", "api_enum", "prefix"),
    [
        (CommunicationType, configuration_pb2.CommunicationType, "COMMUNICATION_TYPE_"),
        (ConnectionSecurity, configuration_pb2.ConnectionSecurity, "CONNECTION_SECURITY_"),
        (DataCenterPolicy, configuration_pb2.DataCenterPolicy, "DATA_CENTER_POLICY_"),
        (DeliveryState, delivery_pb2.DeliveryState, "DELIVERY_STATE_"),
        (FailureKind, failure_pb2.FailureKind, "FAILURE_KIND_"),
        (InDoubtPolicy, delivery_pb2.InDoubtPolicy, "IN_DOUBT_POLICY_"),
        (OAuthProvider, configuration_pb2.OauthProvider, "OAUTH_PROVIDER_"),
        (PasswordKind, configuration_pb2.PasswordKind, "PASSWORD_KIND_"),
        (RecipientState, delivery_pb2.RecipientState, "RECIPIENT_STATE_"),
        (RevisionState, configuration_pb2.RevisionState, "REVISION_STATE_"),
        (Stage, failure_pb2.FailureStage, "FAILURE_STAGE_"),
        (TlsVersion, configuration_pb2.TlsVersion, "TLS_VERSION_"),
    ],
)
def test_given_an_enum_of_the_domain_when_compared_with_the_apis_then_both_have_the_same_words(
    domain_enum: type[StrEnum], api_enum: EnumTypeWrapper, prefix: str
) -> None:
    words = {f"{prefix}{member.value.removeprefix('TLS_')}" for member in domain_enum}

    declared = set(api_enum.keys())

    assert declared == words | {f"{prefix}UNSPECIFIED"}
