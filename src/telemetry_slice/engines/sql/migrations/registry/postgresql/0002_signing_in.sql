-- Rights and walls of what belongs to signing in; docs/adr/0016 and 0019 say why they are so.

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ins TO tslice_api;
-- A key is never changed.
GRANT SELECT, INSERT, DELETE ON signing_keys TO tslice_api;

-- A sign-in is its person's alone.
ALTER TABLE sign_ins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON sign_ins TO tslice_api
    USING (user_id = (SELECT NULLIF(current_setting('app.user', true), '')))
    WITH CHECK (user_id = (SELECT NULLIF(current_setting('app.user', true), '')));
