-- What waits of one configuration and changes with it, such as mail that is held for a consent: found by an index that
-- holds nothing of what was sent, and changed some at a time. What is left to change is noted in the same transaction.

create index delivery_resting on delivery (tenant, configuration_id, create_time)
    where state in ('HELD', 'RETRYING', 'IN_DOUBT');

create table catch_up (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    since timestamptz not null, -- what came into its state later is not meant
    is_released boolean not null default false,
    data_center text,
    data_center_policy text,
    primary key (tenant, configuration_id)
);
create index catch_up_oldest on catch_up (since);
