-- What mail in a mailbox says of deliveries.

-- A delivery's Message-ID is made of its own id, by which it is found, unless its caller chose another one: only those
-- stand in this index, so that it costs Send nothing. By digest, since a Message-ID may be longer than an index takes.
create index delivery_by_chosen_message_id on delivery (tenant, md5(message_id))
    where strpos(message_id, delivery_id::text) <> 2;

create table bounce (
    tenant text collate "C" not null,
    delivery_id uuid not null,
    address_key text collate "C" not null, -- in lower case
    address text not null,
    action text not null,
    status text not null,
    diagnostic text not null,
    reporting_server text not null,
    report_time timestamptz not null,
    record_time timestamptz not null default now(),
    primary key (tenant, delivery_id, address_key),
    foreign key (tenant, delivery_id) references delivery (tenant, delivery_id) on delete cascade
);
