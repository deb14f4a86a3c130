-- Due work by whom it is for: what waits for a site without workers, however much, costs those of other sites nothing.

drop index delivery_due;
create index delivery_due_by_site on delivery (data_center, data_center_policy, next_attempt_time, delivery_id)
    where next_attempt_time is not null;
