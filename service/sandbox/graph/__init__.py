"""
Microsoft Graph as one sees it who sends mail: sendMail, drafts, uploads, Sent Items, throttling, faults on request.

In a sandbox it is `Sandbox.graph`, mounted on the web side; `mailport serve --sandbox` has it at
``http://127.0.0.1:8080/sandbox/graph``, which is the ``graph.base_url`` to configure (the version is added).

Alone, in a test, on a port of its own::

    async with started_graph() as peer:                     # tests/peers/graph.py
        peer.root                                           # base URL, without /v1.0
        token = peer.graph.access_token("robot@sandbox.example", "Mail.Send", "Mail.ReadWrite")
        ...
        message = await peer.inbox.wait_for(lambda each: True, timedelta(seconds=5))    # raw, sender, recipients
        peer.graph.drafts(), peer.graph.sent()              # what is left behind, what was kept

Without permissions `access_token` gives one for everything; with ``""`` as account it is an application's own, whose
permissions are `directory.app_roles`. Tokens of the identity provider's Microsoft behaviour for Graph do as well, by
consent, refresh or client credentials (scope ``https://graph.microsoft.com/.default``).

Faults are planned, and strike the next requests that fit; the one planned first comes first (`faults.Fault`)::

    peer.graph.fail_next(Fault(operation=Operation.SEND_MAIL, status=429, retry_after=timedelta(seconds=2)))
    Fault(status=503, retry_after=timedelta(seconds=2), retry_after_as_date=True, times=3)
    Fault(operation=Operation.SEND_MAIL, status=504)                       # not sent
    Fault(operation=Operation.SEND_MAIL, status=504, takes_effect=True)    # sent all the same
    Fault(operation=Operation.SEND_MAIL, status=200)                       # 200 instead of 202: nothing was sent
    Fault(operation=Operation.SEND_MAIL, retry_after=timedelta(seconds=2)) # 202 with Retry-After beside it
    Fault(operation=Operation.SEND_DRAFT, cut=True)                        # read, not done, connection cut
    Fault(operation=Operation.SEND_DRAFT, cut=True, takes_effect=True)     # done, answer cut
    Fault(operation=Operation.SEND_DRAFT, cut=True, unread=True)           # cut before the body was read
    Fault(operation=Operation.SEND_MAIL, silent=True, takes_effect=True)   # done, never answered
    Fault(operation=Operation.SEND_MAIL, delay=timedelta(seconds=3))       # a slow answer
    Fault(operation=Operation.SEND_DRAFT, copy_delay=timedelta(seconds=3)) # its copy shows up late
    Fault(operation=Operation.UPLOAD_RANGE, skip=3, cut=True)              # the upload breaks after three ranges

The same over HTTP, below the base URL, as JSON with ``Content-Type: application/json``, spans in seconds::

    POST /control/faults   {"operation": "send_mail", "status": 429, "retry_after": 2, "times": 3}
    POST /control/limits   {"concurrent": 4, "requests": 100, "request_window": 5}
    POST /control/rights   {"account": "a@x.example", "mailbox": "b@x.example", "rights": ["send_as"]}
    POST /control/mailbox  {"mailbox": "b@x.example", "state": "not_enabled"}      (in_use, unknown_user)
    POST /control/app      {"roles": ["Mail.Send"], "mailboxes": null, "rewrites_message_ids": false}
    POST /control/token    {"account": "a@x.example", "permissions": ["Mail.Send"]}
    POST /control/reset    {}
    GET  /requests.json    every request with start, end, mailbox, into_retry_after; most_at_once, inside_retry_after
    GET  /mailboxes.json   messages by mailbox and folder; open upload sessions

`GraphSimulator.records` is the same for tests: ``records.most_at_once()``, ``records.inside_retry_after(grace=…)``.
Limits are Microsoft's unless set (`limits.Limits`); sizes count 1 MB as 1,048,576 octets.

The magic recipients of the sandbox (``gone@…``) are accepted and bounce: a report comes to the sender's address.

What Microsoft does not say, and was decided here: a range out of order is 416 ErrorInvalidRange, one above 4 MB 413;
sending a draft that was sent is ErrorItemNotFound; Base64 with line breaks is refused; between sending and the copy in
Sent Items a message is found nowhere; a deleted draft goes to Deleted Items, still as a draft.
"""
