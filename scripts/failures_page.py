"""
Writes docs/failures.md from the failure catalogue and error_reason.proto; with --check it says whether it is fresh.

Run it with the project's own Python: ``.venv/bin/python scripts/failures_page.py``.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_ROOT), str(_ROOT / "proto")]

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry  # noqa: E402
from domain.failures.catalogue.exceptions import SIGNS  # noqa: E402
from domain.failures.failure import FailureKind, Fix  # noqa: E402
from domain.reasons import Reason  # noqa: E402
from mailport.v1 import failure_pb2  # noqa: E402
from scripts.failure_samples import sample_of  # noqa: E402
from service.rpc.render.failures import render_fix  # noqa: E402

PAGE: Final = _ROOT / "docs" / "failures.md"
_PROTO: Final = _ROOT / "proto" / "mailport" / "v1" / "error_reason.proto"
_HEAD: Final = """\
# Failures

What mail servers, token endpoints, Microsoft Graph and IMAP servers answer when they say no, what mailport calls it,
and what to do. `scripts/failures_page.py` writes this from the data that mailport itself explains with; change that.

Have an answer at hand? Paste it, whole or in part; nothing is sent anywhere:

```console
$ mailport explain 535 5.7.139
$ mailport explain AADSTS50173
$ mailport explain --surface imap - < answer.txt
```

The RPC `Explain` does the same. What stands behind **Fix** goes to `mailport configure ID` as it is.

A program branches on the **kind**, and on the **reason** where it knows it:

| kind | what happens |
|---|---|
| PERMANENT | final; the same message would get the same answer |
| TRANSIENT | heals by waiting; a queued message is tried again by itself |
| THROTTLED | heals by waiting, for the whole account; a queued message is tried again by itself, later |
| REAUTHORIZE | waits for a new consent: Authorize, then CompleteAuth |
| MISCONFIGURED | waits for a person to change settings; up to sign-in it pauses the configuration |
| IN_DOUBT | nobody can know whether the message was taken; `in_doubt_policy` decides |

A reply's text counts more than its enhanced code, that more than its first digit, that more than the step it answers.
So some 5yz replies heal by waiting, and some 4yz replies wait for a person. A 4yz is never PERMANENT.
"""


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    where: str
    cause: str
    remedy: str
    sample: str


def page() -> str:
    """Returns the page as it has to be."""
    told = _declared()
    parts = [_HEAD]
    for reason in Reason:
        rows = list(dict.fromkeys(_rows(reason)))
        if not rows:
            continue
        cause, remedy = told[reason.value]
        parts += [f"\n## {reason.value}\n", f"{cause} **Remedy:** {remedy}\n", *_table(rows)]
    return "\n".join(parts) + "\n"


def _rows(reason: Reason) -> Iterator[_Row]:
    for entry in (*CATALOGUE, OUTCOME_UNKNOWN):
        if entry.reason is reason:
            yield _row(entry)


def _row(entry: Entry) -> _Row:
    fixes = "".join(f" **Fix:** {_changes(fix)}." for fix in entry.fixes)
    link = f" [Their page]({entry.help_url})." if entry.help_url else ""
    wait = f" Wait: {_span(entry)}." if entry.pause else ""
    return _Row(
        kind=entry.kind.value,
        where=_where(entry),
        cause=_plain(entry.cause),
        remedy=f"{_plain(entry.remedy)}{wait}{fixes}{link}",
        sample=_sample(entry),
    )


def _changes(fix: Fix) -> str:
    """Writes *fix* as `mailport configure ID --apply-fix` takes it."""
    rendered = render_fix(fix)
    return "`" + " ".join(f"--apply-fix {_argument(each)}" for each in (rendered, *rendered.also)) + "`"


def _argument(fix: failure_pb2.Fix) -> str:
    return shlex.quote(f"{fix.field}={fix.value}")


def _table(rows: list[_Row]) -> Iterator[str]:
    yield "| kind | where | cause | remedy | sample |\n|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: list(FailureKind).index(FailureKind(row.kind))):
        cells = (row.kind, row.where, row.cause, row.remedy, row.sample)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _where(entry: Entry) -> str:
    surfaces = {sign.surface.value for sign in SIGNS if sign.symptom is entry.symptom}
    surfaces |= {surface.value for surface in entry.surfaces}
    stages = sorted(stage.value for stage in entry.stages)
    provider = [entry.provider] if entry.provider else []
    return ", ".join([*provider, *sorted(surfaces), *stages]) or "any step"


def _sample(entry: Entry) -> str:
    lines = [line.replace("`", "'").strip() for line in sample_of(entry).splitlines()]
    return "`" + " ⏎ ".join(line for line in lines if line) + "`" if lines else "–"


def _plain(template: str) -> str:
    text = template.format_map({"server": "the server", "because": "", "reply": ""})
    return re.sub(r"(^|[.:] )the server", lambda found: f"{found[1]}The server", text)


def _span(entry: Entry) -> str:
    seconds = entry.pause.total_seconds() if entry.pause else 0
    size, unit = next((size, unit) for size, unit in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= size)
    return f"{seconds / size:g} {unit}"


def _declared() -> dict[str, tuple[str, str]]:
    """Returns cause and remedy of every reason, as the API declares them."""
    found = re.findall(r"((?:  // [^\n]*\n)+)  ERROR_REASON_(\w+) = \d+;", _PROTO.read_text(encoding="utf-8"))
    told = {}
    for comment, name in found:
        words = " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
        cause, _, rest = words.partition(" Remedy: ")
        remedy = rest.partition(" Sample: ")[0]
        told[name] = (cause, remedy[:1].upper() + remedy[1:])
    return told


def main(arguments: list[str]) -> int:
    """Writes the page, or compares it; returns the exit code."""
    wanted = page()
    if "--check" not in arguments:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write("docs/failures.md is not what the catalogue says; run scripts/failures_page.py and commit it.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
