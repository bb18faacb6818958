-- Rights and walls of the registry on PostgreSQL (15 or newer); docs/adr/0016 says why they are so.

GRANT USAGE ON SCHEMA registry TO tslice_api;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON tenants, devices, device_tags, keys, accounts, memberships, sessions, first_run_offers TO tslice_api;
GRANT USAGE ON SEQUENCE tenants_tenant_no_seq, devices_device_no_seq TO tslice_api;
GRANT SELECT ON alembic_version TO tslice_api;

-- A transaction is of one tenant (app.tenant), of one person (app.user), or of neither, and then sees no row of these.
ALTER TABLE devices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE device_tags ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY api ON devices TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));
CREATE POLICY api ON keys TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));
-- The inner statement is behind the wall of devices.
CREATE POLICY api ON device_tags TO tslice_api
    USING (EXISTS (SELECT FROM devices d WHERE d.device_no = device_tags.device_no))
    WITH CHECK (EXISTS (SELECT FROM devices d WHERE d.device_no = device_tags.device_no));
-- A membership is its tenant's and its person's.
CREATE POLICY api ON memberships TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int)
        OR user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int)
        OR user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
-- An account is its person's alone; tenants see those of their members.
CREATE POLICY api ON accounts TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
CREATE POLICY members ON accounts FOR SELECT TO tslice_api
    USING (EXISTS (SELECT FROM memberships m WHERE m.user_id = accounts.user_id
        AND m.tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int)));

-- What is looked up before a tenant or a person is known: functions of the owner that give the rows named, no others.
CREATE POLICY lookup ON keys FOR SELECT TO tslice_owner USING (true);
CREATE POLICY used ON keys FOR UPDATE TO tslice_owner USING (true) WITH CHECK (true);
CREATE POLICY lookup ON devices FOR SELECT TO tslice_owner USING (true);
CREATE POLICY lookup ON accounts FOR SELECT TO tslice_owner USING (true);

CREATE FUNCTION keys_named(key_ids text[]) RETURNS TABLE (
    key_id text, kind text, tenant_no integer, device_no integer, device_id text, name text, scopes text,
    addresses text, mac bytea, created_us bigint, expires_us bigint, revoked_us bigint, last_used_us bigint
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT k.key_id, k.kind, k.tenant_no, k.device_no, d.device_id, k.name, k.scopes,
        k.addresses, k.mac, k.created_us, k.expires_us, k.revoked_us, k.last_used_us
    FROM keys k LEFT JOIN devices d ON d.device_no = k.device_no WHERE k.key_id = ANY (key_ids)
$$;
-- Rows are taken in the order of their ids: two who write down the same keys wait for one another instead of crosswise.
CREATE FUNCTION touch_keys(key_ids text[], used_us bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    UPDATE keys k SET last_used_us = w.used_us FROM (
        SELECT u.key_id, u.used_us FROM keys o JOIN unnest(key_ids, used_us) AS u(key_id, used_us) USING (key_id)
        ORDER BY o.key_id FOR UPDATE OF o
    ) w WHERE k.key_id = w.key_id
$$;
CREATE FUNCTION account_of_email(folded text) RETURNS TABLE (
    user_id text, email text, name text, password text, platform_admin boolean
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT a.user_id, a.email, a.name, a.password, a.platform_admin FROM accounts a WHERE a.email_folded = folded
$$;
CREATE FUNCTION any_account() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS
$$ SELECT EXISTS (SELECT FROM accounts) $$;

REVOKE ALL ON FUNCTION keys_named(text[]), touch_keys(text[], bigint[]), account_of_email(text), any_account()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keys_named(text[]), touch_keys(text[], bigint[]), account_of_email(text), any_account()
    TO tslice_api;
