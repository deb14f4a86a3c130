-- What has ended goes in two steps: first its message, later all the rest. A row that has ended stands in one of two
-- indexes, so that each step finds its oldest at once, however many there are.

alter table delivery add column has_content boolean not null default true; -- false: shredded

create index delivery_to_shred on delivery (final_time) where final_time is not null and has_content;
create index delivery_to_forget on delivery (final_time) where final_time is not null and not has_content;
create index delivery_undecided on delivery (update_time) where state = 'IN_DOUBT' and next_attempt_time is null;
