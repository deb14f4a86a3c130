-- Consent sessions and grants. Both go with their configuration; nothing here is needed to run the version before.

-- A session waits for its user, and is deleted by whoever uses it: one statement, one winner.
create table consent_session (
    tenant text collate "C" not null,
    state_digest bytea not null,
    configuration_id text collate "C" not null,
    revision integer not null,
    verifier bytea not null,
    nonce text not null,
    redirect_url text not null,
    save boolean not null,
    scopes jsonb not null,
    basis jsonb not null,
    create_time timestamptz not null,
    expire_time timestamptz not null,
    primary key (tenant, state_digest),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade
);
-- The browser's callback knows the state alone.
create unique index consent_session_by_state on consent_session (state_digest);
create index consent_session_of_configuration on consent_session (tenant, configuration_id);
create index consent_session_expiring on consent_session (expire_time);

-- How the latest session of a configuration stands.
create table consent_record (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    state_digest bytea not null,
    state text not null,
    create_time timestamptz not null,
    expire_time timestamptz not null,
    redirect_url text not null,
    failure jsonb,
    primary key (tenant, configuration_id),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade
);

create table oauth_grant (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
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
    primary key (tenant, configuration_id),
    foreign key (tenant, configuration_id) references configuration (tenant, configuration_id) on delete cascade,
    check ((lease_token is null) = (lease_until is null))
);
create index oauth_grant_keeping on oauth_grant (keep_time) where keep_time is not null;

create table access_token (
    tenant text collate "C" not null,
    configuration_id text collate "C" not null,
    resource text collate "C" not null,
    generation bigint not null,
    sealed bytea not null,
    issue_time timestamptz not null,
    expire_time timestamptz not null,
    primary key (tenant, configuration_id, resource),
    foreign key (tenant, configuration_id) references oauth_grant (tenant, configuration_id) on delete cascade
);
