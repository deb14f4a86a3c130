-- Configurations whose mail waits because the server refused their settings. The version before neither reads nor
-- writes this, and goes on as it did.

create table configuration_pause (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    revision integer not null,
    pause_until timestamptz not null,
    failure jsonb not null,
    primary key (tenant, configuration_id),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade
);

-- The oldest due delivery of one configuration, for the probe; small, since it holds what is waiting alone.
create index delivery_waiting on delivery (tenant, configuration_id, next_attempt_time, delivery_id)
    where next_attempt_time is not null;
