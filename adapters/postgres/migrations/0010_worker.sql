-- Which workers live, and where. The version before neither reads nor writes this: to others its workers are not there,
-- so that mail of their site may be taken over while both run.

create table worker (
    name text collate "C" primary key,
    data_center text collate "C" not null,
    seen_until timestamptz not null
);

-- What a delivery's settings say of their data center, the site that made the last attempt, and that of each attempt.
alter table delivery add column data_center_policy text not null default 'PREFERRED',
    add column attempted_from text not null default '';
alter table attempt add column data_center text not null default '';
alter table delivery_change add column attempted_from text not null default '';

create or replace function log_delivery_change() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('mailport.locks_change_number', true), '') = '' then
        perform pg_advisory_xact_lock_shared(77::bigint << 56 | last_value) from delivery_change_number;
        perform set_config('mailport.locks_change_number', 'yes', true);
    end if;
    insert into delivery_change (
        number, tenant, delivery_id, configuration_id, previous_state, state, change_time, recipients, attempt_count,
        doubt_count, expire_time, next_attempt_time, final_time, failure, data_center, attempted_from)
    values (
        nextval('delivery_change_number'), new.tenant, new.delivery_id, new.configuration_id, old.state, new.state,
        new.update_time, new.recipients, new.attempt_count, new.doubt_count, new.expire_time, new.next_attempt_time,
        new.final_time, new.failure, new.data_center, new.attempted_from);
    return null;
end
$$;
