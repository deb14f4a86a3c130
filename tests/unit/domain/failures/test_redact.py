"""No secret that somebody pastes comes back."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.explain import explain_fully
from domain.failures.reading import read_answer
from domain.failures.redact import redact, without_tokens
from tests.unit.domain.failures.rows import Row, catalogue_rows, further_rows

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
    ("535 bad password {} for bob", "hunter2"),
    ("535 bad password {} for bob", "swordfish"),
    ('password "{}" is wrong', "hunter2"),
    ("your password is '{}'", "swordfish"),
    ("the password was {} yesterday", "hunter2"),
    ("password “{}” refused", "hunter2"),
    ('password="{}" refused', "correct horse battery"),
    ("pwd {}", "hunter2"),
    ("passwort: {}", "geheim123"),
    ("Passwort={}", "geheim"),
    ("Kennwort {}", "geheim123"),
    ("パスワード: {}", "geheim123"),
    ("パスワード\uff1a{}", "geheim123"),
    ("пароль {}", "geheim123"),
    ("contraseña: {}", "geheim123"),
    ('smtplib login("bob", "{}") failed', "hunter2"),
    ("server.login(user='bob', password='{}')", "swordfish"),
    ("imap.authenticate('bob', '{}')", "swordfish"),
    ("C: PASS {}\n-ERR no", "swordfish"),
    ("a1 NO [AUTHENTICATIONFAILED] LOGIN bob {} rejected", "hunter2"),
    ("a1 LOGIN bob {}\na1 NO no", "swordfish"),
    ("password: {}", "abcd efgh ijkl mnop"),
    ("app password {} refused", "abcd efgh ijkl mnop"),
    ('"{}" is in password "{}"', "abcd efgh ijkl mnop"),
    ("https://x/oauth/callback?code=4/0AbCdEfGh&state={}&error=access_denied", "STATE123456"),
    ("error=access_denied&state={}", "xyzABC123"),
    ("Bearer {}", "abcdefghijkl"),
    ("code {} was used", "abc_DEF-123456789"),
    ("535 {} no", "ghp_abcdefghijklmnop1234"),
    ("535 {} no", "github_pat_abcdefghijklmnop1234"),
    ("535 {} no", "glpat-abcdefghijklmnop"),
    ("535 {} no", "xoxb-123456789012-abcdef"),
    ("535 {} no", "sk_live_abcdefgh12345678"),
    ("535 5.7.8 nope\n2026-11-25 10:00:02 DEBUG smtp C: {}", "aHVudGVyMi1DQU5BUlk="),
    ("535 5.7.8 nope\n2026-11-25 10:00:02 DEBUG smtp {}", "aHVudGVyMi1DQU5BUlk="),
    ("send: '{}\\r\\n'\n535 nope", "aHVudGVyMi1DQU5BUlk"),
    ("[client] >>> {}\n535 nope", "aHVudGVyMi1DQU5BUlk"),
    ("Password for bob is {}", "hunter2"),
    ("secret is {}", "abcDEF123"),
    ("token {} expired", "abcDEF123456"),
    ("the api key '{}' is invalid", "abcDEF123456"),
    ("curl --user bob:{} smtps://smtp.example.com", "swordfish"),
    ("https://x/cb?state={}&error=access_denied", "abc%2Fdef123"),
    ('{{"error":"access_denied","state":"{}"}}', "STATE123456"),
    # What was recognised once is masked wherever else it stands.
    ('{{"access_token":"{}","error_description":"Bad token {}"}}', "opaque123"),
    ("AUTH PLAIN {}\n535 nope {}", PLAIN),
    (f"AUTH PLAIN {PLAIN}\n535 not {{}}", PASSWORD),
    ("a1 LOGIN bob@example.com {}\na1 NO {} is no password", "swordfish"),
    ("password={}&x=1 535 '{}' refused", "s3cr"),
]


@pytest.mark.parametrize(("text", "secret"), PASTED)
def test_given_a_secret_in_a_pasted_answer_when_explained_then_it_is_nowhere(text: str, secret: str) -> None:
    explanation = explain_fully(read_answer(text.format(secret, secret)))

    assert secret not in repr(explanation)
    assert secret not in redact(text.format(secret, secret))


@pytest.mark.parametrize("fold", ["\n", "\r\n  ", "\n535-", "\n535 5.7.8 ", "=\n"])
@pytest.mark.parametrize("cut", range(12, len(JWT) - 12, 5))
def test_given_a_web_token_broken_by_a_line_when_redacted_then_no_part_of_its_signature_or_claims_stays(
    fold: str, cut: int
) -> None:
    told = redact(read_lines(f"535-refused {JWT[:cut]}{fold}{JWT[cut:]}\n535 bye"))

    _, claims, signature = JWT.split(".")
    shown = "".join(told.split())
    assert signature[-12:] not in shown
    assert claims[-6:] not in shown
    assert "bye" in told


def read_lines(text: str) -> str:
    """Returns *text* with line ends as they are when it is redacted."""
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize("row", catalogue_rows() + further_rows(), ids=lambda row: row.name)
def test_given_a_real_answer_without_secrets_when_redacted_then_it_stays_as_it_is(row: Row) -> None:
    if "state=" in row.answer or "334 eyJ" in row.answer:
        return

    assert redact(row.answer) == row.answer


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"error":"invalid_grant","error_description":"no","refresh_token":"1/abc"}', "invalid_grant"),
        ('{"refresh_token":"opaque \\"123","error":"invalid_grant"}', "invalid_grant"),
        ("https://x/cb?state=STATE123456&error=access_denied", "access_denied"),
        ("https://x/cb?state=abc%2Fdef123&error=access_denied", "access_denied"),
    ],
)
def test_given_a_masked_field_when_read_then_the_others_are_still_understood(text: str, error: str) -> None:
    assert read_answer(text).error == error


@given(
    st.text(alphabet="eyJ._=-a1 \n\"'LOGIN:/", max_size=300), st.sampled_from(["", "password ", "eyJaaaaaaaaa.aaaa"])
)
def test_given_a_text_once_redacted_when_redacted_again_then_nothing_more_appears(text: str, before: str) -> None:
    """Made-up beginnings of everything; none may raise, and none may make the text longer by much."""
    once = redact(before + text)

    assert len(once) <= 2 * len(before + text) + 6


@pytest.mark.parametrize(
    "unit",
    ["eyJ", "eyJ.", "_", "eyJ=", "LOGIN ", "password ", 'password "', "AUTH A ", 'login("', "C: ", "***\n", " ", "M.A"],
)
def test_given_a_repeated_beginning_when_redacted_then_time_grows_with_the_length_alone(unit: str) -> None:
    """Quadratic patterns take sixty-four times as long for eight times the text; linear ones about eight times."""
    short, long = (unit * 131_072)[:16_384], (unit * 131_072)[:131_072]

    def fastest(text: str) -> float:
        spent = []
        for _ in range(3):
            begin = time.process_time()
            redact(text)
            spent.append(time.process_time() - begin)
        return min(spent)

    assert fastest(long) < 32 * max(fastest(short), 0.005)


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
        "535 5.7.8 password expired",
        'password authentication failed for user "bob"',
        "bad password",
        "535 bad password for bob",
        "the password is wrong",
        "pwd incorrect",
        "Passwort falsch",
        "mot de passe incorrect",
        "Your password is older than 90 days",
        "535 Application-specific password required. Learn more at https://support.google.com/mail/?p=InvalidSecondFactor",
        "432 4.7.12 A password transition is needed",
        "a1 NO LOGIN failed.",
        "250-AUTH LOGIN PLAIN XOAUTH2",
        "Bearer authentication required",
        "error code 80004005 and code AADSTS50126",
        "spf=pass smtp.mailfrom=example1.com dkim=pass header.d=example1.com",
        "220 ready\nC: STARTTLS\n454 AUTH not now",
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
