"""
What libraries and systems write when no answer came: DNS, sockets and TLS, of Python, OpenSSL, Go, Java, Node, Windows.

An adapter names the symptom itself; these are for texts that a person pasted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.failures.evidence import Surface, Symptom
from domain.failures.failure import Stage


@dataclass(frozen=True, slots=True)
class Sign:
    """A symptom, where it belongs, and the words it is known by, as `domain.failures.wording.alike` writes them."""

    symptom: Symptom
    surface: Surface
    stage: Stage
    text: re.Pattern[str]
    sample: str


def _sign(symptom: Symptom, surface: Surface, stage: Stage, text: str, sample: str) -> Sign:
    return Sign(symptom, surface, stage, re.compile(text), sample)


SIGNS: Final = (
    _sign(
        Symptom.CERT_EXPIRED,
        Surface.TLS,
        Stage.TLS,
        r"certificate (has |is )?expired|cert_has_expired|expired certificate|certificate is not yet valid|"
        r"cert_not_yet_valid|certificateexpired|certificate_expired|notafter|zertifikat\b.{0,30}abgelaufen",
        "ssl.SSLCertVerificationError: certificate verify failed: certificate has expired (_ssl.c:1007)",
    ),
    _sign(
        Symptom.CERT_NAME_MISMATCH,
        Surface.TLS,
        Stage.TLS,
        r"host ?name mismatch|certificate is (not )?valid for|altname_invalid|certificate\b.{0,60}(does ?n.t|does not) "
        r"match|(does ?n.t|does not) match (the )?(certificate|host|server|target)|no (subject )?alternative|name "
        r"mismatch|"
        r"ip address mismatch|remotecertificatenamemismatch|not match any of the subject",
        "ssl.SSLCertVerificationError: certificate verify failed: Hostname mismatch, certificate is not valid for "
        "'mail.example.com'.",
    ),
    _sign(
        Symptom.CERT_UNTRUSTED,
        Surface.TLS,
        Stage.TLS,
        r"self[- _]signed|unable to get (local )?issuer|unknown[_ ]ca\b|unknown authority|"
        r"certificate[_ ]verify[_ ]failed|"
        r"unable_to_(verify|get)|pkix path|certification path|untrusted (root|cert)|certificate\b.{0,30}not trusted|"
        r"remote certificate (is|was) (invalid|rejected)|authenticity of|certificate chain\b.{0,40}(not|incomplete)|"
        r"unable to verify the first certificate|selbst ?signiert",
        "ssl.SSLCertVerificationError: certificate verify failed: unable to get local issuer certificate (_ssl.c:1007)",
    ),
    _sign(
        Symptom.STARTTLS_NOT_OFFERED,
        Surface.SMTP,
        Stage.EHLO,
        r"starttls\b.{0,30}(not|un)[ -]?(supported|offered|available|advertised|implemented)|(does ?n.t|does not) "
        r"(support|offer|advertise) (starttls|tls)|no starttls",
        "smtplib.SMTPNotSupportedError: STARTTLS extension not supported by server.",
    ),
    _sign(
        Symptom.PLAINTEXT_INSTEAD_OF_TLS,
        Surface.TLS,
        Stage.TLS,
        r"wrong[_ ]version[_ ]number|packet length too long|record layer (failure|version)|unknown protocol|does not "
        r"look "
        r"like a tls handshake|unrecognized ssl message|plaintext connection|unexpected packet format|"
        r"tls packet with unexpected length|http request",
        "ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1056)",
    ),
    _sign(
        Symptom.TLS_VERSION,
        Surface.TLS,
        Stage.TLS,
        r"unsupported[_ ]protocol|protocol[_ ]version|version too low|no protocols available|unsupported version|"
        r"protocol version not supported|no appropriate protocol|(tls|ssl)\S{0,6} .{0,30}(not supported|too old|"
        r"disabled)|"
        r"requires tls ?1\.[23]|alert number 70|inappropriate_fallback",
        "ssl.SSLError: [SSL: UNSUPPORTED_PROTOCOL] unsupported protocol (_ssl.c:997)",
    ),
    _sign(
        Symptom.LOST,
        Surface.TLS,
        Stage.TLS,
        r"unexpected eof|\beof$|eof occurred in violation|ssl_error_(eof|syscall)|unexpected_eof|decryption failed "
        r"or bad "
        r"record",
        "ssl.SSLEOFError: EOF occurred in violation of protocol (_ssl.c:1007)",
    ),
    _sign(
        Symptom.TLS_HANDSHAKE,
        Surface.TLS,
        Stage.TLS,
        r"handshake[_ ]?(failure|failed|error|exception)|sslv3[_ ]alert|tlsv1[_ ]alert|no[_ ]shared[_ ]cipher|no "
        r"cipher|"
        r"(dh|ee|ca)[_ ]key[_ ]too[_ ]small|alert (number|internal|bad|decode|illegal|unrecognized)|bad[_ ]certificate|"
        r"unrecognized[_ ]name|ssl routines|tls: |\[ssl: |sslerror|ssl handshake",
        "ssl.SSLError: [SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure (_ssl.c:1131)",
    ),
    _sign(
        Symptom.NAME_UNAVAILABLE,
        Surface.DNS,
        Stage.DNS,
        r"temporary failure in name|eai_again|servfail|lookup timed out|name ?server.{0,30}(timed? ?out|fail)|errno "
        r"-3\b|"
        r"\b11002\b|try again.{0,20}name resolution|dns.{0,30}(timed? ?out|timeout|server failure|refused)|no "
        r"servers could "
        r"be reached|server misbehaving",
        "socket.gaierror: [Errno -3] Temporary failure in name resolution",
    ),
    _sign(
        Symptom.NAME_UNKNOWN,
        Surface.DNS,
        Stage.DNS,
        r"name or service not known|nodename nor servname|enotfound|eai_no(name|data)|nxdomain|no such host|no address "
        r"associated|getaddrinfo|gaierror|\b1100[14]\b|could(n't| not) (resolve|translate|be resolved)|unknown ?host|"
        r"errno -[25]\b|name (does not|doesn't) (exist|resolve)|cannot resolve|unable to resolve|host(name)? (not "
        r"found|"
        r"unknown)|resolve host|der name oder der dienst|nom ou service inconnu|name.{0,20}konnte "
        r"nicht.{0,20}aufgelost",
        "socket.gaierror: [Errno -2] Name or service not known",
    ),
    _sign(
        Symptom.REFUSED,
        Surface.CONNECT,
        Stage.CONNECT,
        r"econnrefused|connection ?refused|actively refused|\b10061\b|errno 111\b|errno 61\b|verbindungsaufbau "
        r"abgelehnt|"
        r"verbindung verweigert|connexion refusee|conexion rehusada|refused the connection",
        "ConnectionRefusedError: [Errno 111] Connection refused",
    ),
    _sign(
        Symptom.UNREACHABLE,
        Surface.CONNECT,
        Stage.CONNECT,
        r"enetunreach|ehostunreach|no route to host|(network|host|destination) (is )?unreachable|errno 10[19]\b|"
        r"errno 113\b|"
        r"\b1006?5[15]\b|\b10065\b|enetdown|das netzwerk ist nicht erreichbar|keine route",
        "OSError: [Errno 113] No route to host",
    ),
    _sign(
        Symptom.SILENT,
        Surface.SMTP,
        Stage.EHLO,
        r"greeting never received|no greeting|(no|without) (response|answer|reply|banner)( from| within)?|did(n't| "
        r"not) "
        r"(answer|respond|reply)|banner timeout|read timed out",
        "Error: Greeting never received",
    ),
    _sign(
        Symptom.TIMED_OUT,
        Surface.CONNECT,
        Stage.CONNECT,
        r"etimedout|esocket ?timedout|timed ?out|time-?out|errno 110\b|errno 60\b|\b10060\b|deadline exceeded|"
        r"zeituberschreitung|delai .{0,20}(depasse|expire)|tiempo de espera",
        "TimeoutError: [Errno 110] Connection timed out",
    ),
    _sign(
        Symptom.LOST,
        Surface.CONNECT,
        Stage.CONNECT,
        r"econnreset|reset by peer|connection (was |has been |is )?(unexpectedly |forcibly )?(closed|reset|aborted|"
        r"lost|"
        r"dropped|terminated)|broken pipe|\bepipe\b|socket hang up|\b1005[34]\b|serverdisconnected|errno 104\b|errno "
        r"32\b|"
        r"remote host closed|unexpectedly (closed|disconnected)|remotedisconnected|server closed|"
        r"verbindung.{0,30}(zuruckgesetzt|getrennt|geschlossen)",
        "ConnectionResetError: [Errno 104] Connection reset by peer",
    ),
    _sign(
        Symptom.NO_AUTH_MECHANISM,
        Surface.SMTP,
        Stage.AUTH,
        r"auth extension not supported|no suitable auth|no supported auth|no (compatible|matching) auth|auth\w* "
        r"mechanism\w* "
        r".{0,20}(not supported|unavailable)|server does(n't| not) support auth",
        "smtplib.SMTPNotSupportedError: SMTP AUTH extension not supported by server.",
    ),
    _sign(
        Symptom.SMTPUTF8_NOT_OFFERED,
        Surface.SMTP,
        Stage.MAIL_FROM,
        r"smtputf8\b.{0,60}(not|un)[ -]?(supported|offered|available|advertised)|not advertise\b.{0,30}smtputf8",
        "smtplib.SMTPNotSupportedError: One or more source or delivery addresses require internationalized email "
        "support, but the server does not advertise the required SMTPUTF8 capability",
    ),
)
"""The first one that fits counts."""


def sign_in_text(words: str) -> Sign | None:
    """Returns the first sign that *words*, as `alike` writes them, show; None for none."""
    return next((sign for sign in SIGNS if sign.text.search(words)), None)
