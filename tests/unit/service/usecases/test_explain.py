"""Explain: what a provider's answer means, from the text alone."""

from __future__ import annotations

from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from service.rpc.render import render_explained
from service.usecases.explain import Explain, Question


async def test_given_a_question_when_asked_then_it_is_explained() -> None:
    explanation = await Explain()(Question(text="550 5.1.1 User unknown", surface=Surface.SMTP))

    assert explanation.failure.reason is Reason.RECIPIENT_UNKNOWN
    assert explanation.failure.kind is FailureKind.PERMANENT
    assert explanation.failure.stage is Stage.RCPT_TO
    assert explanation.is_recognized


async def test_given_the_longest_answer_in_any_script_when_rendered_then_it_stays_below_8_kib() -> None:
    texts = ["550 5.7.1 " + letter * 40_000 for letter in ("a", "é", "漢", "😀", "\ud800")]

    sizes = [render_explained(await Explain()(Question(text=text))).ByteSize() for text in texts]

    assert max(sizes) < 8 * 1024
