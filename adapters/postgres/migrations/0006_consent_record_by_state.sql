-- A callback page that is reloaded finds by the state alone how its session ended; anybody may ask, so it has to be cheap.
create index consent_record_by_state on consent_record (state_digest);
