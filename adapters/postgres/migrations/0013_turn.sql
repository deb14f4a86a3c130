-- Turns at mailboxes behind an API: who waits or makes a request, in the order of their coming, and until when a mailbox
-- rests. The version before neither reads nor writes this: its requests are not counted.

create table turn_place (
    host text collate "C" not null,
    mailbox text collate "C" not null,
    rest_until timestamptz,
    primary key (host, mailbox)
) with (fillfactor = 50);

create table turn (
    host text collate "C" not null,
    mailbox text collate "C" not null,
    ticket text not null,
    number bigint generated always as identity,
    lease_until timestamptz not null,
    primary key (host, mailbox, ticket)
) with (fillfactor = 50);
