-- Rights and walls of who signs in with a provider; docs/adr/0016 and 0023 say why they are so.

-- An identity is never changed, and ends with its account.
GRANT SELECT, INSERT ON identities TO tslice_api;
GRANT SELECT, INSERT, DELETE ON provided_sign_ins TO tslice_api;

-- Both are their person's alone.
ALTER TABLE identities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE provided_sign_ins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON identities TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
CREATE POLICY api ON provided_sign_ins TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));

-- Whoever comes from a provider is named by it before it is known who they are here.
CREATE POLICY lookup ON identities FOR SELECT TO tslice_owner USING (true);
CREATE POLICY lookup ON provided_sign_ins FOR SELECT TO tslice_owner USING (true);

CREATE FUNCTION identity_named(named_issuer text, named_subject text) RETURNS TABLE (user_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT i.user_id FROM identities i WHERE i.issuer = named_issuer AND i.subject = named_subject
$$;
CREATE FUNCTION provided_sign_ins_named(named_provider text, named_session text)
RETURNS TABLE (user_id text, family text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = registry, pg_temp AS $$
    SELECT p.user_id, p.family FROM provided_sign_ins p
    WHERE p.provider = named_provider AND p.session = named_session
$$;
REVOKE ALL ON FUNCTION identity_named(text, text), provided_sign_ins_named(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity_named(text, text), provided_sign_ins_named(text, text) TO tslice_api;
