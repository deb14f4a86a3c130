-- The log of deliveries' states, for those who watch. Written by triggers, so that whatever changes a delivery, the
-- version before included, logs it in the same transaction and without another statement.

create sequence delivery_change_number;
select setval('delivery_change_number', 1); -- so that last_value is a number that was taken

create table delivery_change (
    number bigint not null,
    tenant text collate "C" not null,
    delivery_id uuid not null,
    configuration_id text collate "C" not null,
    previous_state text,
    state text not null,
    change_time timestamptz not null,
    recipients jsonb not null,
    attempt_count integer not null,
    doubt_count integer not null,
    expire_time timestamptz not null,
    next_attempt_time timestamptz,
    final_time timestamptz,
    failure jsonb,
    data_center text not null,
    primary key (number)
);
create index delivery_change_of_tenant on delivery_change (tenant, number);

-- The highest number that was purged: a cursor below it may have missed something.
create table delivery_change_purge (through bigint not null);
insert into delivery_change_purge (through) values (1);

-- Numbers are taken before they are committed, so a lower one may become visible after a higher one, and a reader that
-- went on behind the higher one would lose it. Therefore each transaction, before it takes its first number, locks (in
-- shared mode, so that nobody waits) the last one taken by then: all its own are higher. A reader goes up to the lowest
-- number that is locked, below which nothing can be committed any more. Numbers of one delivery are in the order of its
-- changes, since each is taken under the lock of its row. Transaction ids cannot do this: of two transactions the older
-- one may be the later one to change a delivery, and the snapshot of a foreign database's long one holds everybody back.
create function log_delivery_change() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('mailport.locks_change_number', true), '') = '' then
        perform pg_advisory_xact_lock_shared(77::bigint << 56 | last_value) from delivery_change_number;
        perform set_config('mailport.locks_change_number', 'yes', true);
    end if;
    insert into delivery_change (
        number, tenant, delivery_id, configuration_id, previous_state, state, change_time, recipients, attempt_count,
        doubt_count, expire_time, next_attempt_time, final_time, failure, data_center)
    values (
        nextval('delivery_change_number'), new.tenant, new.delivery_id, new.configuration_id, old.state, new.state,
        new.update_time, new.recipients, new.attempt_count, new.doubt_count, new.expire_time, new.next_attempt_time,
        new.final_time, new.failure, new.data_center);
    return null;
end
$$;

-- Returns the number up to which everything has been committed or given up. The order counts: whoever locks after the
-- second step takes numbers above the first one's.
create function settled_delivery_change_number() returns bigint language plpgsql as $$
declare
    last_taken bigint := (select last_value from delivery_change_number);
begin
    return least(last_taken, (
        select min((classid::bigint & 16777215) << 32 | objid::bigint)
        from pg_locks
        where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 24 = 77
          and database = (select oid from pg_database where datname = current_database())));
end
$$;

create trigger delivery_accepted after insert on delivery
    for each row execute function log_delivery_change();
create trigger delivery_changed after update of state on delivery
    for each row when (old.state is distinct from new.state) execute function log_delivery_change();
