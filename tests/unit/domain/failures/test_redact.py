"""No secret that somebody pastes comes back."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.explain import explain_fully
from domain.failures.reading import read_answer
from domain.failures.redact import redact, without_tokens

TOKEN = "ya29.a0AfH6SMBx7Qk3vN0pLZc9dYt2Rr"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4"
PASSWORD = "tr0ub4dor&3xkcd"
PLAIN = base64.b64encode(f"\0robot@example.com\0{PASSWORD}".encode()).decode()
XOAUTH2 = base64.b64encode(f"user=robot@example.com\x01auth=Bearer {TOKEN}\x01\x01".encode()).decode()

PASTED = [
    ("535 5.7.8 no\nAUTH PLAIN {}", PLAIN),
    ("AUTH XOAUTH2 {}\n535 5.7.3 Authentication unsuccessful", XOAUTH2),
    ("334 VXNlcm5hbWU6\nC: cm9ib3RAZXhhbXBsZQ==\n334 UGFzc3dvcmQ6\nC: {}\n535 no", "dHIwdWI0ZG9y"),
    ("a1 LOGIN robot@example.com {}\na1 NO [AUTHENTICATIONFAILED] no", PASSWORD),
    ("Authorization: Bearer {}\nHTTP/1.1 401", TOKEN),
    ("Authorization: Bearer {}", JWT),
    ("password={}&username=robot 535 no", "hunter2hunter"),
    ('{{"client_secret":"{}","error":"invalid_client"}}', "abc8Q~Zxcvbnm1234567890asdfghjkl"),
    ('{{"error":"invalid_grant","refresh_token":"{}"}}', "1//0gabcdefghijklmnop"),
    (
        "grant_type=refresh_token&refresh_token={}&client_id=x error=invalid_grant",
        "0.AXoAqwertyuiopASDFGHJKL1234567890zxcvbnm",
    ),
    ("https://mail.example.com/oauth/callback?error=access_denied&code={}", "4/0AbCdEfGhIjKlMnOpQrStUv"),
    ("smtps://robot:{}@smtp.example.com: 535 no", "s3cr3tpassw0rd"),
    ("GOCSPX {}", "GOCSPX-abcdefghijklmnop"),
    ("535 Authentication failed for key {}", "SG.abcdefghijklmnop.ABCDEFGHIJKLMNOP123456"),
    ("535 bad key {}", "xsmtpsib-0123456789abcdef-ABCDEF"),
    ("password: {}\n535 5.7.8 no", "correcthorsebattery"),
]


@pytest.mark.parametrize(("text", "secret"), PASTED)
def test_given_a_secret_in_a_pasted_answer_when_explained_then_it_is_nowhere(text: str, secret: str) -> None:
    explanation = explain_fully(read_answer(text.format(secret)))

    assert secret not in repr(explanation)
    assert secret not in redact(text.format(secret))


@given(
    st.text(alphabet="ABCDEFGHJKabcdefghjk23456789", min_size=40, max_size=200).filter(
        lambda text: any(map(str.isdigit, text)) and any(map(str.isupper, text)) and any(map(str.islower, text))
    )
)
def test_given_any_long_random_word_when_redacted_then_it_is_masked(word: str) -> None:
    assert word not in redact(f"535 5.7.8 refused {word} for robot@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        "535 5.7.8 Username and Password not accepted",
        "503 AUTH command used when not advertised",
        "Invalid password: please try again",
        "Token: expired",
        '{"error":{"code":"ErrorAccessDenied","message":"Access is denied."}}',
        "error=access_denied&state=xyzABC123",
        "454 4.7.0 Temporary authentication failure: Connection lost to authentication server",
        "554 5.2.0 STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
    ],
)
def test_given_a_sentence_about_passwords_when_redacted_then_it_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        JWT,
        "1//0gabcdefghijklmnop",
        "4/0AbCdEfGhIjKlMnOpQrStUv",
        "GOCSPX-abcdefghijklmnop",
        "abc8Q~Zxcvbnm1234567890asdfghjkl",
        "0.AXoAqwertyuiopASDFGHJKL1234567890zxcvbnm12345",
        "M.C535_BAY.0.U.-CqAbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "SG.abcdefghijklmnop.ABCDEFGHIJKLMNOP123456",
        "xsmtpsib-0123456789abcdef-ABCDEF",
        "xkeysib-0123456789abcdef-ABCDEF",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-abcdefghijklmnop1234",
        "-----BEGIN RSA PRIVATE KEY-----MIIabc-----END RSA PRIVATE KEY-----",
    ],
)
def test_given_a_token_of_a_known_make_when_a_peer_repeats_it_then_its_look_alone_gives_it_away(token: str) -> None:
    assert without_tokens(f"not with {token} again") == "not with *** again"
