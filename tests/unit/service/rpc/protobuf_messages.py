"""Hypothesis strategies for any message of a protobuf type, made from its descriptor."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

M = TypeVar("M", bound=Message)

_TELLING = ("", "a@example.com", "smtp.example.com", "https://id.example.com/x", "\r\n", "\0", "é", "x" * 300)
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 25, 465, 587, 993]),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2_000_000_000),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 5) | st.integers(-(2**31), 2**31 - 1),
}


def messages(kind: type[M]) -> st.SearchStrategy[M]:
    """Draws messages of *kind* with any of its fields set to any value that the wire can carry."""
    return _of(kind.DESCRIPTOR)


def _of(descriptor: Any) -> st.SearchStrategy[Any]:
    fields = {field.name: _value(field) for field in descriptor.fields}
    make = GetMessageClass(descriptor)
    return st.fixed_dictionaries({}, optional=fields).map(lambda drawn: _filled(make, drawn))


def _filled(make: type[Message], drawn: dict[str, Any]) -> Message:
    return make(**drawn)


def _value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    one = _single(field)
    return st.lists(one, max_size=3) if field.is_repeated else one


def _single(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return _of(field.message_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=40) | st.just(b"From: a@example.com\r\nTo: b@example.com\r\n\r\nHi")
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(_TELLING)
    return _SCALARS[field.cpp_type]
