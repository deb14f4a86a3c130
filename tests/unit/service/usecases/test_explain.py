"""Explain: what a provider's answer means, from the text alone."""

from __future__ import annotations

import asyncio
import threading

import pytest

from domain.failures.evidence import Surface
from domain.failures.explain import Explanation
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from service.rpc.render import render_explained
from service.usecases import explain
from service.usecases.explain import Explain, Question, explained


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


async def test_given_a_long_answer_when_explained_then_the_loop_goes_on_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_end = threading.Event()

    def held(question: Question) -> Explanation:
        assert may_end.wait(timeout=30), "the loop stood still"
        return explained(question)

    monkeypatch.setattr(explain, "explained", held)

    asked = asyncio.create_task(Explain()(Question(text="550 5.1.1 User unknown" + " x" * 16_000)))
    await asyncio.sleep(0)
    may_end.set()

    assert (await asked).failure.reason is Reason.RECIPIENT_UNKNOWN
