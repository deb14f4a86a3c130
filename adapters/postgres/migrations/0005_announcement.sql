-- What was said of each configuration's foreseen ends, so that all processes together say each thing once. The version
-- before neither reads nor writes this, and goes on as it did.

create table announcement (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    kind text not null,
    expected_time timestamptz not null,
    threshold interval not null,
    announce_time timestamptz not null,
    primary key (tenant, configuration_id, kind),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade
);
