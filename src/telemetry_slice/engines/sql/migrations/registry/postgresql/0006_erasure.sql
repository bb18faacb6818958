-- Rights and functions for erasing tenants and changing peppers on PostgreSQL; docs/adr/0025 and 0026 say why.

-- Kept for good; like the tenants themselves it is outside the walls, and no route but the administrator's shows it.
GRANT SELECT, INSERT, UPDATE ON erasures TO tslice_api;

-- Drop the schema of a tenant whose erasing has begun and is not finished, and of no other; whether there was one.
CREATE FUNCTION drop_erased_schema(erased integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = registry, pg_temp AS $$
DECLARE
    named text;
BEGIN
    SELECT e.placement_schema INTO named FROM erasures e WHERE e.tenant_no = erased AND e.finished_us IS NULL;
    IF named IS NULL OR NOT starts_with(named, 'tenant_') THEN
        RAISE EXCEPTION 'tenant % with a schema of its own is not being erased', erased;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = named) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP SCHEMA %I CASCADE', named);
    RETURN true;
END
$$;

-- A pepper is an installation's: what needs an earlier one is found across tenants and persons, by the owner.
CREATE POLICY lookup ON second_factors FOR SELECT TO tslice_owner USING (true);
-- A signing key is never changed, but sealed anew.
GRANT UPDATE (sealed) ON signing_keys TO tslice_api;

CREATE FUNCTION name_pepper(named text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = registry, pg_temp AS
$$ UPDATE keys SET pepper = named WHERE pepper IS NULL $$;
CREATE FUNCTION keys_under_other_peppers(named text, now_us bigint, most integer) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT k.key_id FROM keys k WHERE k.pepper IS DISTINCT FROM named AND k.kind <> 'certificate' AND k.revoked_us IS NULL
        AND (k.expires_us IS NULL OR k.expires_us > now_us) ORDER BY k.key_id LIMIT most
$$;
CREATE FUNCTION second_factors_after(after text, most integer) RETURNS TABLE (user_id text, sealed text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT f.user_id, f.sealed FROM second_factors f WHERE f.user_id > after ORDER BY f.user_id LIMIT most
$$;

REVOKE ALL ON FUNCTION drop_erased_schema(integer), name_pepper(text),
    keys_under_other_peppers(text, bigint, integer), second_factors_after(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_erased_schema(integer), name_pepper(text),
    keys_under_other_peppers(text, bigint, integer), second_factors_after(text, integer) TO tslice_api;
