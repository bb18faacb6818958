-- Rights and walls of what belongs to signing in; docs/adr/0016 and 0019 say why they are so.

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ins TO tslice_api;
-- A key is never changed.
GRANT SELECT, INSERT, DELETE ON signing_keys TO tslice_api;

-- A sign-in is its person's alone.
ALTER TABLE sign_ins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON sign_ins TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));

-- An invitation is its tenant's, a reset its person's; whoever comes with one names it by the hash of its secret.
GRANT SELECT, INSERT, DELETE ON links TO tslice_api;
ALTER TABLE links ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON links TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int)
        OR user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int)
        OR user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
CREATE POLICY lookup ON links FOR SELECT TO tslice_owner USING (true);

CREATE FUNCTION link_named(secret_hash bytea) RETURNS TABLE (
    token bytea, link_id text, kind text, email text, tenant_no integer, role text, user_id text,
    created_us bigint, expires_us bigint
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT l.token, l.link_id, l.kind, l.email, l.tenant_no, l.role, l.user_id, l.created_us, l.expires_us
    FROM links l WHERE l.token = secret_hash
$$;
REVOKE ALL ON FUNCTION link_named(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION link_named(bytea) TO tslice_api;

-- A second factor is its person's alone.
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors TO tslice_api;
GRANT SELECT, INSERT, DELETE ON recovery_codes TO tslice_api;
ALTER TABLE second_factors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON second_factors TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
CREATE POLICY api ON recovery_codes TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
