-- Rights and walls of enrolment tokens, functions over keys before their tenant is known; docs/adr/0016 and 0024 say why they are so.

GRANT SELECT, INSERT, UPDATE, DELETE ON enrolment_tokens TO tslice_api;
ALTER TABLE enrolment_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON enrolment_tokens TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));
CREATE POLICY lookup ON enrolment_tokens FOR SELECT TO tslice_owner USING (true);
CREATE FUNCTION enrolment_token(named text) RETURNS SETOF enrolment_tokens
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS
$$ SELECT * FROM enrolment_tokens WHERE token_id = named $$;

-- Whole rows, so that a column more needs no function more.
CREATE FUNCTION keys_whole(key_ids text[]) RETURNS TABLE (kept keys, device_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT k, d.device_id FROM keys k LEFT JOIN devices d ON d.device_no = k.device_no WHERE k.key_id = ANY (key_ids)
$$;
-- Rows are taken in the order of their ids: two who write down the same keys wait for one another instead of crosswise.
CREATE FUNCTION use_keys(key_ids text[], used_us bigint[], used_from text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    UPDATE keys k SET last_used_us = w.used_us, last_address = w.address FROM (
        SELECT u.key_id, u.used_us, u.address
        FROM keys o JOIN unnest(key_ids, used_us, used_from) AS u(key_id, used_us, address) USING (key_id)
        ORDER BY o.key_id FOR UPDATE OF o
    ) w WHERE k.key_id = w.key_id AND (k.last_used_us IS NULL OR k.last_used_us <= w.used_us)
$$;

-- What ends soon and is not replaced, of every tenant: names, and nothing that a key is checked with.
CREATE FUNCTION keys_expiring(now_us bigint, until_us bigint) RETURNS TABLE (
    key_id text, kind text, tenant_no integer, device_id text, name text, expires_us bigint
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT k.key_id, k.kind, k.tenant_no, d.device_id, k.name, k.expires_us
    FROM keys k LEFT JOIN devices d ON d.device_no = k.device_no
    WHERE k.revoked_us IS NULL AND k.replaced_by IS NULL AND k.expires_us > now_us AND k.expires_us <= until_us
$$;
-- Those of them that nobody was warned of, which is once: of two who ask at once one gets each.
CREATE FUNCTION warn_keys(now_us bigint, until_us bigint, at_most integer) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    UPDATE keys k SET warned_us = now_us FROM (
        SELECT o.key_id FROM keys o
        WHERE o.revoked_us IS NULL AND o.replaced_by IS NULL AND o.expires_us > now_us AND o.expires_us <= until_us
            AND o.warned_us IS NULL
        ORDER BY o.key_id LIMIT at_most FOR UPDATE
    ) w WHERE k.key_id = w.key_id RETURNING k.key_id
$$;

REVOKE ALL ON FUNCTION enrolment_token(text), keys_whole(text[]), use_keys(text[], bigint[], text[]), keys_expiring(bigint, bigint),
    warn_keys(bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enrolment_token(text), keys_whole(text[]), use_keys(text[], bigint[], text[]), keys_expiring(bigint, bigint),
    warn_keys(bigint, bigint, integer) TO tslice_api;
