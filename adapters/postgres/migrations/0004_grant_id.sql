-- A configuration may hold several grants: the one that its active revision sends with, and the one that its draft is
-- going to. Each has an id of its own, so that a refresh that is under way finds its grant whatever it is used for.
-- No version has stored grants before this one.

drop table access_token;
drop table oauth_grant;

create table oauth_grant (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    grant_id text collate "C" not null,
    generation bigint not null,
    state text not null,
    basis jsonb not null,
    account text not null,
    granted_scopes jsonb not null,
    refresh_token bytea not null,
    authorize_time timestamptz not null,
    refresh_time timestamptz,
    refresh_token_expire_time timestamptz,
    failure jsonb,
    failing_since timestamptz,
    failure_count integer not null,
    retry_time timestamptz,
    keep_time timestamptz,
    lease_token text,
    lease_until timestamptz,
    primary key (tenant, configuration_id, grant_id),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade,
    check ((lease_token is null) = (lease_until is null))
);
create index oauth_grant_keeping on oauth_grant (keep_time) where keep_time is not null;

create table access_token (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    grant_id text collate "C" not null,
    resource text collate "C" not null,
    generation bigint not null,
    sealed bytea not null,
    issue_time timestamptz not null,
    expire_time timestamptz not null,
    primary key (tenant, configuration_id, grant_id, resource),
    foreign key (tenant, configuration_id, grant_id)
        references oauth_grant (tenant, configuration_id, grant_id) on delete cascade
);
