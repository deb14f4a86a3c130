"""One attempt from the token to Graph's last word, and the report of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from adapters.graph.drafts import LOOK_AGAIN, Drafts, Fate, Unreadable
from adapters.graph.failures import NoAnswer
from adapters.graph.session import JSON, MIME, Ask, OpenWire, Session
from adapters.graph.timing import Timer
from adapters.graph.tracing import Stopped, TraceLog
from adapters.graph.uploading import Uploader
from domain.earlier import Earlier
from domain.failures.catalogue.wording import WAIT
from domain.failures.evidence import Symptom
from domain.failures.failure import Failure, FailureKind, Stage
from domain.failures.trace import last_words
from domain.graph.answers import ACCEPTED, GraphAnswer, is_missing_permission, missing_permission, too_large
from domain.graph.json_form import send_request
from domain.graph.place import root_of
from domain.graph.routes import Plan, Route, draft_mime, plan
from domain.message import Envelope
from domain.ports.environment import Clock, Entropy
from domain.ports.transport import BeforeContent, Report, SignIn, TokenSource, Verdict
from domain.ports.turns import Turns
from domain.reasons import Reason
from domain.settings.model import GraphTransport, MailSettings
from domain.turns import Place

_THREAD_FROM: Final = 256 * 1024
"""Octets of a message from which on reading it is a thread's work."""
_REMOVAL_SECONDS: Final = 10.0
_SETTLED_SECONDS: Final = 15.0
"""After which a call that sends, and whose connection is gone, is carried out or never will be."""
_LOOKS_FOR_UNNAMED: Final = 3
_WRITE: Final = "Mail.ReadWrite"
_SEND: Final = "Mail.Send"
_NOBODY: Final = b'{"message":{"subject":"","body":{"contentType":"Text","content":""},"toRecipients":[]}}'
"""A message to nobody: Graph refuses it whatever else, but looks at the permission first."""

LeaveDraft = Callable[[Awaitable[str]], None]
"""Takes what will give the id of a draft that has to be removed when the attempt is over, empty for none."""

_T = TypeVar("_T")


class _MissingWrite(Exception):
    """The token has no Mail.ReadWrite, which a draft needs."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Attempt:
    """Offers one message once; whoever runs it has a turn at the mailbox, and closes it."""

    def __init__(
        self,
        *,
        settings: MailSettings,
        graph: GraphTransport,
        open_wire: OpenWire,
        turns: Turns,
        place: Place,
        wait_for_turn: timedelta,
        timer: Timer,
        tokens: TokenSource | None,
        clock: Clock,
        entropy: Entropy,
        trace: TraceLog,
        leave_draft: LeaveDraft,
        look_again: Sequence[timedelta] = LOOK_AGAIN,
    ) -> None:
        self._settings = settings
        self._graph = graph
        self._timer = timer
        self._clock = clock
        self._trace = trace
        self._leave_draft = leave_draft
        self._look_again = look_again
        self._root = root_of(settings, graph)
        self._session = Session(
            open_wire=open_wire,
            turns=turns,
            place=place,
            wait_for_turn=wait_for_turn,
            tokens=tokens,
            clock=clock,
            entropy=entropy,
            trace=trace,
        )
        self._rest_until: datetime | None = None
        self._unfinished: asyncio.Task[str | tuple[GraphAnswer, Ask]] | None = None

    async def aclose(self) -> None:
        """Ends the connections, but for one on which the id of a draft is still to come."""
        if self._unfinished is not None and not self._unfinished.done():
            self._unfinished.add_done_callback(lambda _: asyncio.ensure_future(self._session.aclose()))
            return
        await self._session.aclose()

    async def run(
        self, envelope: Envelope, content: bytes, *, before_content: BeforeContent, earlier: Earlier
    ) -> Report:
        """Returns the report; raises what *before_content* raises, and CancelledError."""
        failure: Failure | None = None
        reply = ""
        try:
            reply = await self._offered(envelope, content, before_content, earlier)
        except Stopped as stopped:
            failure = stopped.failure
            reply = last_words(failure)
        verdicts = tuple(Verdict(recipient=to, failure=failure, reply=reply) for to in envelope.recipients)
        return Report(verdicts=verdicts, trace=self._trace.trace(), failure=failure, rest_until=self._rest_until)

    async def sign_in(self) -> SignIn:
        """Proves token, mailbox and permission, and sends nothing; raises CancelledError alone."""
        try:
            await self._session.sign_in(self._timer.for_request())
            await self._prove_mailbox()
            await self._prove_permission()
        except Stopped as stopped:
            return SignIn(trace=self._trace.trace(), failure=stopped.failure)
        return SignIn(trace=self._trace.trace())

    async def clean_up(self, draft_id: str) -> bool:
        """Removes a draft; False, Stopped, NoAnswer and Unreadable tell that it did not come about."""
        await self._session.sign_in(self._timer.for_request())
        return await self._drafts("").remove(draft_id, _REMOVAL_SECONDS)

    async def _offered(
        self, envelope: Envelope, content: bytes, before_content: BeforeContent, earlier: Earlier
    ) -> str:
        """Returns Graph's acceptance; raises Stopped with what it refused."""
        saves = self._graph.save_to_sent_items
        if len(content) < _THREAD_FROM:
            way = plan(content, envelope, saves=saves)
        else:
            way = await asyncio.to_thread(plan, content, envelope, saves=saves)
        if not way.routes:
            raise Stopped(too_large(way.too_large, self._graph))
        await self._session.sign_in(self._timer.for_request())
        if await self._is_sent_already(way, earlier):
            return "found in Sent Items: an earlier attempt was taken"
        for route in way.routes[:-1]:
            try:
                return await self._by(route, way, content, before_content)
            except _MissingWrite:
                continue
        try:
            return await self._by(way.routes[-1], way, content, before_content)
        except _MissingWrite as missing:
            raise Stopped(missing.failure) from None

    async def _is_sent_already(self, way: Plan, earlier: Earlier) -> bool:
        """Looks for what earlier attempts have left, and removes what is no copy."""
        if earlier is Earlier.NOTHING or (earlier is Earlier.PARTS and not way.may_leave_draft):
            return False
        drafts = self._drafts(way.named.message_id)
        try:
            if earlier is Earlier.COPY and await drafts.is_sent():
                return True
            for draft_id in await drafts.left():
                # Never sent again as it is: nobody knows whether all of its files are there.
                if not await drafts.remove(draft_id, self._timer.for_request()):
                    self._leave_draft(_now(draft_id))
        except Unreadable:
            return False  # without permission to look there was no draft either, and the policy decides
        except NoAnswer as silence:
            raise Stopped(self._session.silence(silence, Ask(method="GET", url=self._root, label=""))) from silence
        return False

    async def _by(self, route: Route, way: Plan, content: bytes, before_content: BeforeContent) -> str:
        if route is Route.DRAFT:
            return await self._by_draft(way, content, before_content)
        ask = await self._one_request(route, way, content)
        await before_content()
        copies = route is Route.MIME or way.saves
        return await self._sent(ask, self._drafts(way.named.message_id) if copies else None)

    async def _one_request(self, route: Route, way: Plan, content: bytes) -> Ask:
        url = f"{self._root}/sendMail"
        if route is Route.MIME:
            body = base64.b64encode(draft_mime(content, way))
            label = "sendMail as MIME" + ("" if way.saves else ", which keeps a copy: JSON has no such message")
            return Ask(method="POST", url=url, label=label, body=body, content_type=MIME, sends=True)
        assert way.form is not None
        body = await asyncio.to_thread(send_request, way.form, content, saves=way.saves)
        lost = f", without {', '.join(way.form.lost)}" if way.form.lost else ""
        label = f"sendMail as JSON{self._session.clean(lost)}"
        return Ask(method="POST", url=url, label=label, body=body, content_type=JSON, sends=True)

    async def _by_draft(self, way: Plan, content: bytes, before_content: BeforeContent) -> str:
        drafts = self._drafts(way.named.message_id)
        draft_id = await self._created(drafts, way, content)
        try:
            uploader = Uploader(
                session=self._session,
                trace=self._trace,
                timer=self._timer,
                clock=self._clock,
                draft_url=drafts.url(draft_id),
                content=content,
            )
            for file in way.files:
                await uploader.add(file)
        except BaseException as error:
            await self._removed(drafts, draft_id, error)
            raise
        return await self._draft_sent(drafts, draft_id, way, before_content)

    async def _created(self, drafts: Drafts, way: Plan, content: bytes) -> str:
        creating = asyncio.create_task(self._timed(drafts.create(draft_mime(content, way))), name="graph draft")
        try:
            created = await asyncio.shield(creating)
        except asyncio.CancelledError:
            # It may be there already, and only its answer tells under which id: the request ends by itself.
            self._unfinished = creating
            self._leave_draft(_id_of(creating))
            raise
        except NoAnswer as silence:
            if silence.was_sent:
                await self._unnamed_removed(drafts)
            raise Stopped(self._session.silence(silence, Ask(method="POST", url=self._root, label=""))) from silence
        if isinstance(created, str):
            return created
        answer, ask = created
        if is_missing_permission(answer):
            raise _MissingWrite(self._missing(_WRITE, "for a message of this size", answer))
        if answer.is_success or (answer.status >= 500 and answer.status != 503):
            await self._unnamed_removed(drafts)
        if answer.is_success:  # without an id that could be read
            unnamed = NoAnswer(Symptom.GARBAGE, "a draft without an id", was_sent=True)
            raise Stopped(self._session.silence(unnamed, ask))
        raise Stopped(self._session.failure(answer, ask))

    async def _unnamed_removed(self, drafts: Drafts) -> None:
        """
        Removes what may have become of a draft whose making was not answered.

        Within the attempt alone: later, a draft of this message is perhaps the next attempt's, which looks itself.
        """
        for pause in self._look_again[:_LOOKS_FOR_UNNAMED]:
            await asyncio.sleep(min(pause.total_seconds(), self._timer.for_request()))
            with suppress(Stopped, NoAnswer, Unreadable):
                found = await drafts.left()
                for draft_id in found:
                    if not await drafts.remove(draft_id, self._timer.for_request()):
                        self._leave_draft(_now(draft_id))
                if found:
                    return

    async def _draft_sent(self, drafts: Drafts, draft_id: str, way: Plan, before_content: BeforeContent) -> str:
        label = "the draft sent" + ("" if way.saves else ", which keeps a copy in Sent Items")
        ask = Ask(method="POST", url=f"{drafts.url(draft_id)}/send", label=label, is_immutable=True, sends=True)
        try:
            await before_content()
        except BaseException as error:
            await self._removed(drafts, draft_id, error)
            raise
        try:
            return await self._sent(ask, drafts, draft_id)
        except asyncio.CancelledError:
            # The call may be carried out yet; what is still a draft after a while will not be sent any more.
            self._leave_draft(_late(draft_id))
            raise
        except Stopped as stopped:
            if stopped.failure.kind is FailureKind.IN_DOUBT:
                self._leave_draft(_late(draft_id))  # as above; the next attempt comes late, or never
            else:
                await self._removed(drafts, draft_id, stopped)
            raise

    async def _sent(self, ask: Ask, drafts: Drafts | None, draft_id: str = "") -> str:
        """Makes the call that sends, and returns the acceptance; raises Stopped with anything else."""
        answer: GraphAnswer | None = None
        try:
            answer = await self._session.ask(ask, self._timer.for_sending())
        except NoAnswer as silence:
            failure = self._session.silence(silence, ask)
        else:
            if answer.status == ACCEPTED:
                self._rest_until = answer.retry_time
                return "202 Accepted"
            failure = self._session.failure(answer, ask)
        if draft_id and answer is not None and answer.says("ErrorItemNotFound"):
            failure = _gone(failure)
        if failure.kind is not FailureKind.IN_DOUBT:
            raise Stopped(failure)
        fate = await drafts.fate(draft_id) if drafts is not None else Fate.UNKNOWN
        if fate is Fate.SENT:
            return "found in Sent Items, after no definite answer to the call that sends"
        if fate is Fate.DRAFT:
            raise Stopped(_not_sent(failure))
        raise Stopped(failure)

    async def _removed(self, drafts: Drafts, draft_id: str, error: BaseException) -> None:
        """Removes a draft that will not be sent: at once where that is possible, else when the attempt is over."""
        if isinstance(error, Stopped):
            with suppress(Stopped, NoAnswer, Unreadable):
                if await drafts.remove(draft_id, _REMOVAL_SECONDS):
                    return
        self._leave_draft(_now(draft_id))

    async def _prove_mailbox(self) -> None:
        url = f"{self._root}/mailFolders/drafts?$select=id"
        ask = Ask(method="GET", url=url, label="the mailbox")
        with self._trace.step(Stage.API, ask.label) as step:
            try:
                answer = await self._timed(self._session.ask_within(step, ask, self._timer.for_request()))
            except NoAnswer as silence:
                raise Stopped(self._session.silence(silence, ask)) from silence
            if is_missing_permission(answer):
                # Sending needs none to read; whether the mailbox is there shows with the next question.
                step.succeeded, step.reply = True, "may not be read, which sending does not need"
            elif not answer.is_success:
                raise Stopped(self._session.failure(answer, ask))

    async def _prove_permission(self) -> None:
        ask = Ask(
            method="POST",
            url=f"{self._root}/sendMail",
            label="whether sending is permitted, asked with a message to nobody",
            body=_NOBODY,
            content_type=JSON,
        )
        with self._trace.step(Stage.API, ask.label) as step:
            try:
                answer = await self._timed(self._session.ask_within(step, ask, self._timer.for_request()))
            except NoAnswer as silence:
                raise Stopped(self._session.silence(silence, ask)) from silence
            if answer.status == 400:
                # It is refused for having no recipients, which is looked at after the permission.
                step.succeeded, step.reply = True, "permitted"
            elif is_missing_permission(answer):
                raise Stopped(self._missing(_SEND, "to send", answer))
            elif not answer.is_success:
                raise Stopped(self._session.failure(answer, ask))

    async def _timed(self, asking: Awaitable[_T]) -> _T:
        begin = self._clock.monotonic()
        try:
            return await asking
        finally:
            self._timer.spent((self._clock.monotonic() - begin).total_seconds(), on_files=False)

    def _drafts(self, message_id: str) -> Drafts:
        return Drafts(
            session=self._session,
            timer=self._timer,
            clock=self._clock,
            root=self._root,
            message_id=message_id,
            look_again=self._look_again,
        )

    def _missing(self, permission: str, why: str, answer: GraphAnswer) -> Failure:
        text = self._session.clean(answer.text)
        return missing_permission(permission, why, self._settings, self._graph, answer=answer, text=text)


async def _now(draft_id: str) -> str:
    return draft_id


async def _late(draft_id: str) -> str:
    await asyncio.sleep(_SETTLED_SECONDS)
    return draft_id


async def _id_of(creating: asyncio.Task[str | tuple[GraphAnswer, Ask]]) -> str:
    try:
        created = await creating
    except (NoAnswer, Stopped):
        return ""
    return created if isinstance(created, str) else ""


def _gone(failure: Failure) -> Failure:
    """Returns what *failure* means for a draft that was there a moment ago: it may have been sent by somebody."""
    return replace(failure, reason=Reason.OUTCOME_UNKNOWN, kind=FailureKind.IN_DOUBT)


def _not_sent(failure: Failure) -> Failure:
    """Returns what *failure* means once the draft was seen to be still there."""
    return replace(
        failure,
        reason=Reason.SERVER_BUSY,
        kind=FailureKind.TRANSIENT,
        cause="Microsoft Graph gave no definite answer to the call that sends; the draft is still there, so nothing "
        "was sent.",
        remedy=WAIT,
    )
