-- Rights and walls of the audit on PostgreSQL; docs/adr/0022 says why they are so.

-- Appended to and read; nobody but the owner, whom nobody signs in as, could change or delete.
GRANT SELECT, INSERT ON audit TO tslice_api;
GRANT SELECT ON audit_heads TO tslice_api;

-- A transaction of no tenant is the installation's, whose chain is 0.
ALTER TABLE audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON audit TO tslice_api
    USING (tenant_no = (SELECT COALESCE(NULLIF(current_setting('app.tenant', true), '')::int, 0)))
    WITH CHECK (tenant_no = (SELECT COALESCE(NULLIF(current_setting('app.tenant', true), '')::int, 0)));
CREATE POLICY api ON audit_heads TO tslice_api
    USING (tenant_no = (SELECT COALESCE(NULLIF(current_setting('app.tenant', true), '')::int, 0)))
    WITH CHECK (tenant_no = (SELECT COALESCE(NULLIF(current_setting('app.tenant', true), '')::int, 0)));
CREATE POLICY kept ON audit_heads TO tslice_owner USING (true) WITH CHECK (true);

CREATE FUNCTION keep_audit_head() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = registry, pg_temp AS $$
BEGIN
    INSERT INTO audit_heads (tenant_no, sequence, hash) VALUES (NEW.tenant_no, NEW.sequence, NEW.hash)
    ON CONFLICT (tenant_no) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_head AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION keep_audit_head();

-- Chains outlive their tenants: whoever verifies them all asks here for their numbers.
CREATE FUNCTION audit_chains() RETURNS SETOF integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS
$$ SELECT tenant_no FROM audit_heads $$;

REVOKE ALL ON FUNCTION keep_audit_head(), audit_chains() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_chains() TO tslice_api;
