-- What accounts with limits have sent, and what throttling answers have left of their allowance. The version before
-- neither reads nor writes this: what it sends is not counted. No foreign key, whose check would lock the configuration
-- in the midst of a claim.

create table allowance (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    arrival_time timestamptz,
    messages jsonb not null default '[]',
    recipients jsonb not null default '[]',
    factor double precision not null default 1,
    lower_time timestamptz,
    rest_until timestamptz,
    failure jsonb,
    wait_until timestamptz,
    primary key (tenant, configuration_id)
) with (fillfactor = 50); -- a row is written for each claim: room for it beside the version before
create index allowance_waiting on allowance (wait_until) include (tenant, configuration_id) where wait_until is not null;
create index allowance_lowered on allowance (tenant, configuration_id) where lower_time is not null;

-- Which worker may open how many of an account's connections, as long as its lease lasts.
create table allowance_connection (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    worker text not null,
    connections integer not null,
    lease_until timestamptz not null,
    primary key (tenant, configuration_id, worker)
);

-- Whose deliveries are not claimed for now, whatever is due.
create view account_at_rest as
    select tenant, configuration_id from configuration_pause
    union all
    select tenant, configuration_id from allowance where wait_until > now();
