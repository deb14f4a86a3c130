from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.oauth_error import OAuthError, read_oauth_error

ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
NAMES = st.sampled_from(["error", "error_description", "error_codes", "error_subtype", "suberror", "error_message"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"error": "invalid_grant"}, OAuthError("invalid_grant")),
        ({"error": "invalid_grant", "error_description": "gone"}, OAuthError("invalid_grant", "gone")),
        ({"error": "e", "error_description": "AADSTS50173: x"}, OAuthError("e", "AADSTS50173: x", "AADSTS50173")),
        ({"error": "e", "error_codes": [50173]}, OAuthError("e", "", "AADSTS50173")),
        ({"error": "e", "error_codes": ["x"], "suberror": "bad_token"}, OAuthError("e", "", "bad_token")),
        ({"error": "e", "error_subtype": "invalid_rapt"}, OAuthError("e", "", "invalid_rapt")),
        ({"error": "e", "error_subtype": "no word <b>"}, OAuthError("e")),
        ({"error": {"code": 403, "status": "DENIED", "message": "no"}}, OAuthError("DENIED", "no")),
        ({"error": {}}, OAuthError("error")),
        ({"error": None}, OAuthError("")),
        ({"error": " a\r\nb\u202e "}, OAuthError("ab")),
        ({}, OAuthError("")),
    ],
)
def test_given_an_error_answer_when_read_then_error_words_and_subcode_are_found(
    fields: dict[str, object], expected: OAuthError
) -> None:
    assert read_oauth_error(fields) == expected


@given(st.dictionaries(NAMES, ANYTHING))
def test_given_any_members_when_read_then_the_error_is_short_and_prints(fields: dict[str, object]) -> None:
    told = read_oauth_error(fields)

    assert len(told.error) <= 100
    assert told.error.isprintable()
