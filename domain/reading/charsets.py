"""Text out of octets in whatever charset a sender names, or misnames; never raises."""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from typing import Final

from domain.reading.model import Defect

# Python's registry knows codecs that are no charsets (zlib, punycode, unicode_escape), imports modules by the name that
# it is given, and remembers each name for ever: a stranger's label is therefore looked up here and nowhere else.
_NO_CHARSETS: Final = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
)
_KNOWN: Final = frozenset(aliases.values()) - _NO_CHARSETS | {
    *("cp720", "cp737", "cp856", "cp874", "cp1006", "koi8_t", "koi8_u", "mac_croatian", "mac_romanian", "utf_8_sig"),
}
# What is said, and what is meant by it everywhere: the superset that mail programs of that script write.
_MEANT: Final = {
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "latin_1": "cp1252",
    "iso8859_9": "cp1254", "iso8859_11": "cp874", "tis_620": "cp874", "utf_8_sig": "utf_8",
}  # fmt: skip
_MORE_NAMES: Final = {
    "iso88598i": "iso8859_8", "iso88598e": "iso8859_8", "iso88596i": "iso8859_6", "iso88596e": "iso8859_6",
    "ksc56011987": "euc_kr", "ksc5601": "euc_kr", "cp936": "gb18030", "ms936": "gb18030", "ms932": "cp932",
    "utf8mb4": "utf_8", "utf8mb3": "utf_8", "unicode11utf8": "utf_8", "unicode20utf8": "utf_8",
    "unicode11utf7": "utf_7", "unicode20utf7": "utf_7", "ucs2": "utf_16", "iso10646ucs2": "utf_16", "unicode": "utf_16",
    "macintosh": "mac_roman", "mac": "mac_roman", "macce": "mac_latin2", "ansi": "cp1252", "dos874": "cp874",
    "big5eten": "big5", "cnbig5": "big5", "cngb": "gb18030", "gb231280": "gb18030", "koi8": "koi8_r",
    "koi8ru": "koi8_u",
}  # fmt: skip
_NOISE: Final = re.compile(r"[^a-z0-9]")
_LABEL: Final = re.compile(r"[\"'\s]*([A-Za-z0-9_.:+-]{1,60})")
_PREFIXES: Final = ("", "x", "xx", "cs")
_FALLBACK: Final = "cp1252"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _squeezed(label: str) -> str:
    return _NOISE.sub("", label.lower())


def _table() -> dict[str, str]:
    names = {_squeezed(alias): codec for alias, codec in aliases.items() if codec not in _NO_CHARSETS}
    names |= {_squeezed(codec): codec for codec in _KNOWN}
    names |= {
        f"{brand}{codec[2:]}": codec
        for codec in _KNOWN
        for brand in ("windows", "cp", "ibm", "win")
        if codec[:2] == "cp"
    }
    names |= _MORE_NAMES
    return {name: _MEANT.get(codec, codec) for name, codec in names.items()}


_CODECS: Final = _table()


def codec_of(charset: str) -> str | None:
    """
    Returns the name of Python's codec for what a sender calls *charset*; None for one that nobody knows.

    Case, punctuation, quotes, an ``x-`` before the name and whatever stands behind a blank are set aside.
    """
    label = _LABEL.match(charset)
    if label is None:
        return None
    name = _squeezed(label[1])
    for prefix in _PREFIXES:
        if name.startswith(prefix) and (codec := _CODECS.get(name[len(prefix) :])):
            return codec
    return None


def decode(octets: bytes, charset: str, found: set[Defect], *, is_cut: bool = False) -> str:
    """
    Returns *octets* as text; adds CHARSET to *found* where *charset* is unknown or the octets are not in it.

    Then UTF-8 is tried, which is hardly ever right by chance, then windows-1252. An empty *charset* means ASCII (RFC
    2045 section 5.2). *is_cut*: the last character may be cut off, and is left out then.
    """
    codec = codec_of(charset) if charset else "ascii"
    text = None if codec is None else _strictly(octets, codec, is_cut)
    if text is None:
        found.add(Defect.CHARSET)
        # Seven-bit octets are always UTF-8, but in a charset with escapes that would show the escapes.
        text = None if codec and octets.isascii() else _strictly(octets, "utf_8", is_cut)
    if text is None:
        # What is in a known charset but for a few octets stays readable in it; Latin letters tell nothing then.
        text = octets.decode(codec if codec and codec != "ascii" else _FALLBACK, "replace")
    if _SURROGATE.search(text):  # UTF-7 can say them
        found.add(Defect.CHARSET)
    return without_surrogates(text)


def _strictly(octets: bytes, codec: str, is_cut: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(codec)("strict").decode(octets, not is_cut)
    except UnicodeError:
        return None


def without_surrogates(text: str) -> str:
    """Returns *text* with a replacement character for each half of a surrogate pair, which UTF-8 cannot hold."""
    return _SURROGATE.sub("\ufffd", text)
