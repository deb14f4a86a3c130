"""Words that stand behind `password`, `Bearer` or `LOGIN` in a sentence, and are no secret."""

from __future__ import annotations

import re
from typing import Final

_TEXT: Final = """
a about above accept accepted acceptable access account accounts active again age aged alone already also an and any
app application applications apple are as ask at attempt attempts auth authenticate authenticated authentication
authenticator authorization authorized auto bad based be because been before below blank blocked box but by can cannot
challenge change changed changes changing check client code codes combination command complexity compromised contains
correct correctly could created credential credentials data database date days denied denying did different directory
disabled do does domain don't during email empty enabled encryption encrypted enter entered entry error errors event
exceeded exchange exist exists expired expires expiration expiry fail failed failing fails failure failures field file
first flow for forbidden forgotten form format from further generate generated given gmail google grant grants had has
hash hashes have header here hint history how id identity if in inactive inbox incorrect incorrectly info input
instead invalid invalidated is issued it its just key keys known last later ldap leaked length less limit link locked
lockout login logins logon lookup mail mailbox manager match matched matches matching may mechanism mechanisms message
method methods microsoft mismatch missing mode more must my name need needed needs never new no none nor not now null
of off ok old on once one only or option options otp our out outlook own page pair pass password passwords per
permanently please plugin policies policy possible problem problems prompt protected protection protocol provided quit
realm reason received refused rejected rejecting remote renewed request requested requests require required
requirement requirements requires reset resource resetting response result retry reuse revoked rule rules s same sasl
save saved scheme scope screen secret security see send sender sending sent server service set setting settings setup
should sign sign-in signin sha smtp some specific spray spraying starttls state status stored string strength submit
success supplied support supported sure suspended sync synchronization syntax system temporarily temporary than that
the their them then there they this time timed timeout to token tokens too true try trying type typed types unable
unauthorized unavailable unexpected unknown unrecognized unset unsuccessful unsupported until update updated use used
user username users using valid validate validation value verification verified verify violation was wasn't way weak
we were when where which while will with within without wrong yahoo yet you your admin administrator aad adfs imap pop
plain cram md5 ntlm gssapi xoauth xoauth2 oauth oauth2 oauthbearer oauth2.0 external anonymous scram digest expected
got responded returned returns said says transition abgelaufen abgelehnt aendern andern ändern das der die ein falsch
fehlerhaft fehlt gesperrt gültig ist korrekt nicht oder prüfen richtig sind stimmt und ungültig ungueltig unbekannt
war wurde zurücksetzen de el en es est ha incorrect incorrecta incorrectas incorrecto incorrectos incorrects
incorrecte invalide inválida invalida non o ou oublié para por requis salah sbagliata senha son u un una y
"""
_WORDS: Final = frozenset(_TEXT.split())
_SPLIT: Final = re.compile(r"[^\w']+|_+")


def is_plain(word: str) -> bool:
    """Tells a word of a sentence, or several joined by hyphens and the like, from what could be a secret."""
    parts = [part for part in _SPLIT.split(word.lower()) if part]
    return all(part in _WORDS or (part.isdigit() and len(part) < 6) for part in parts)


def is_odd(word: str) -> bool:
    """Tells what no sentence has: letters and digits in one word, capitals within, marks within, a long number."""
    bare = word.strip(".,:;!?\"'()[]")
    if re.fullmatch(r"#?\d\.\d{1,3}\.\d{1,3}|AADSTS\d+|#?\d{1,5}|https?:\S*|\w*OAuth\w*|\*+|5\d\d[- ]\S*", bare):
        return False
    has_digit, has_letter = any(map(str.isdigit, bare)), any(map(str.isalpha, bare))
    if has_digit:
        return has_letter or len(bare) >= 6
    return has_letter and (
        bool(re.search(r"\w[^\w\s'\u2019./,:;-]+\w", bare) or re.search(r"[!$%^&*+=?~]", bare))
        or bool(re.search(r"[a-z][A-Z].*[A-Z]|[a-z][A-Z]{2}", bare) and not bare.isupper())
    )
