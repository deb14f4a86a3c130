-- Configurations, deliveries and idempotency keys. The tenant comes first in every key.
-- Names are compared byte for byte: pages have one order on every server, and no update of a collation spoils an index.

create table configuration (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    version bigint not null,
    last_revision integer not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    primary key (tenant, configuration_id)
);

-- The settings of a revision never change once written; secrets are sealed and stand apart.
create table revision (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    number integer not null,
    role text not null check (role in ('draft', 'active')),
    settings jsonb not null,
    warnings jsonb not null,
    basic_password bytea,
    oauth_client_secret bytea,
    mailbox_password bytea,
    create_time timestamptz not null,
    validate_time timestamptz,
    confirmation_digest bytea,
    confirmation_expire_time timestamptz,
    confirmation_tries_left integer,
    primary key (tenant, configuration_id, number),
    unique (tenant, configuration_id, role),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade
);

create table delivery (
    tenant text collate "C" not null,
    delivery_id uuid not null,
    configuration_id text collate "C" not null,
    message_id text not null,
    sender text not null,
    recipients jsonb not null,
    state text not null,
    in_doubt_policy text not null,
    attempt_count integer not null,
    doubt_count integer not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    expire_time timestamptz not null,
    next_attempt_time timestamptz,
    final_time timestamptz,
    failure jsonb,
    data_center text not null,
    worker text,
    lease_token text,
    lease_until timestamptz,
    no_return_time timestamptz,
    primary key (tenant, delivery_id),
    check ((state = 'SENDING') = (lease_token is not null))
);

create index delivery_newest on delivery (tenant, create_time desc, delivery_id desc);
create index delivery_of_configuration on delivery (tenant, configuration_id, create_time desc, delivery_id desc);
-- Small, since they hold what is waiting or under way, not what is done.
create index delivery_due on delivery (next_attempt_time, delivery_id) where next_attempt_time is not null;
create index delivery_leased on delivery (lease_until) where state = 'SENDING';
create index delivery_ending on delivery (expire_time)
    where state in ('QUEUED', 'RETRYING', 'HELD') or (state = 'IN_DOUBT' and next_attempt_time is not null);

-- The flattened message, sealed. Apart from its delivery, so that it can be shredded by itself.
create table delivery_content (
    tenant text collate "C" not null,
    delivery_id uuid not null,
    sealed bytea not null,
    primary key (tenant, delivery_id),
    foreign key (tenant, delivery_id) references delivery (tenant, delivery_id) on delete cascade
);
alter table delivery_content alter column sealed set storage external; -- ciphertext does not compress

create table attempt (
    tenant text collate "C" not null,
    delivery_id uuid not null,
    number integer not null,
    worker text not null,
    start_time timestamptz not null,
    end_time timestamptz,
    failure jsonb,
    trace jsonb,
    in_doubt boolean not null default false,
    primary key (tenant, delivery_id, number),
    foreign key (tenant, delivery_id) references delivery (tenant, delivery_id) on delete cascade
);

create table idempotency_key (
    tenant text collate "C" not null,
    key text collate "C" not null,
    content_digest bytea not null,
    delivery_id uuid not null,
    expire_time timestamptz not null,
    primary key (tenant, key),
    foreign key (tenant, delivery_id) references delivery (tenant, delivery_id) on delete cascade
        deferrable initially deferred
);
create index idempotency_key_expiring on idempotency_key (expire_time);
create index idempotency_key_of_delivery on idempotency_key (tenant, delivery_id);
