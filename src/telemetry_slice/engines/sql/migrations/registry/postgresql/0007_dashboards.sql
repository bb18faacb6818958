-- Rights and walls of dashboards, and the one look-up before their tenant is known; docs/adr/0016 and 0029 say why.

GRANT SELECT, INSERT, UPDATE, DELETE ON dashboards TO tslice_api;
ALTER TABLE dashboards ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON dashboards TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));
GRANT SELECT, INSERT, UPDATE, DELETE ON dashboard_versions TO tslice_api;
ALTER TABLE dashboard_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON dashboard_versions TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));
GRANT SELECT, INSERT, UPDATE, DELETE ON dashboard_links TO tslice_api;
ALTER TABLE dashboard_links ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON dashboard_links TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));

CREATE POLICY lookup ON dashboard_links FOR SELECT TO tslice_owner USING (true);
CREATE FUNCTION dashboard_link(named text) RETURNS SETOF dashboard_links
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS
$$ SELECT * FROM dashboard_links WHERE link_id = named $$;

REVOKE ALL ON FUNCTION dashboard_link(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dashboard_link(text) TO tslice_api;
