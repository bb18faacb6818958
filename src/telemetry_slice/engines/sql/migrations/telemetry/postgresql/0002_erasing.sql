-- Erasing a tenant's telemetry on PostgreSQL, some rows at a time; docs/adr/0026 says why it is so.

-- The writer may delete no events. It may call a function of the owner, which sees the rows of the one tenant whom it
-- was called for, and for as long as it runs: a wall behind its own filters.
DO $$
DECLARE
    named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['series', 'event_ledger', 'telemetry_events', 'dead_letters', 'book_counts',
        'book_totals', 'gate_totals', 'gate_minutes']
    LOOP
        EXECUTE format('CREATE POLICY erased ON %I TO tslice_owner'
            ' USING (tenant_no = (SELECT NULLIF(current_setting(''app.erased'', true), '''')::int))', named);
    END LOOP;
END
$$;

-- Delete about `most` rows of a tenant, by the indexes that lead to them; how many, 0 when nothing is left.
CREATE FUNCTION erase_tenant_rows(erased integer, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    total bigint := 0;
    gone bigint;
    one integer;
    part regclass;
    last integer;
    named text;
BEGIN
    PERFORM set_config('app.erased', erased::text, true);
    FOR one IN SELECT s.series_id FROM series s WHERE s.tenant_no = erased ORDER BY s.series_id LIMIT most LOOP
        DELETE FROM telemetry_events e WHERE e.series_id = one AND e.tenant_no = erased AND e.recorded_us <= (
            SELECT max(w.recorded_us) FROM (
                SELECT o.recorded_us FROM telemetry_events o WHERE o.series_id = one AND o.tenant_no = erased
                ORDER BY o.recorded_us LIMIT most - total) w);
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
        IF total >= most THEN
            RETURN total;
        END IF;
        DELETE FROM series s WHERE s.series_id = one AND s.tenant_no = erased;
        total := total + 1;
    END LOOP;
    IF total > 0 THEN
        RETURN total;
    END IF;
    -- The index of the ledger begins with the bucket: each one that there is, is asked.
    FOR part IN SELECT t.relid FROM pg_partition_tree('event_ledger') t WHERE t.isleaf LOOP
        last := -1;
        LOOP
            EXECUTE format('SELECT min(bucket) FROM %s WHERE bucket > $1', part) INTO last USING last;
            EXIT WHEN last IS NULL;
            DELETE FROM event_ledger l WHERE l.bucket = last AND l.tenant_no = erased AND l.event_key IN (
                SELECT o.event_key FROM event_ledger o WHERE o.bucket = last AND o.tenant_no = erased
                LIMIT most - total);
            GET DIAGNOSTICS gone = ROW_COUNT;
            total := total + gone;
            IF total >= most THEN
                RETURN total;
            END IF;
        END LOOP;
    END LOOP;
    DELETE FROM dead_letters d WHERE d.tenant_no = erased AND d.id IN (
        SELECT o.id FROM dead_letters o WHERE o.tenant_no = erased LIMIT most - total);
    GET DIAGNOSTICS gone = ROW_COUNT;
    total := total + gone;
    FOREACH named IN ARRAY ARRAY['book_counts', 'book_totals', 'gate_totals', 'gate_minutes'] LOOP
        EXIT WHEN total >= most;
        EXECUTE format('DELETE FROM %1$I WHERE tenant_no = $1'
            ' AND ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE tenant_no = $1 LIMIT $2))', named)
        USING erased, most - total;
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
    END LOOP;
    IF total > 0 THEN
        RETURN total;
    END IF;
    -- A reading that came late may be of a series that was gone already: no index leads to it.
    DELETE FROM telemetry_events e WHERE e.tenant_no = erased;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION erase_tenant_rows(integer, integer) SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE ALL ON FUNCTION erase_tenant_rows(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_tenant_rows(integer, integer) TO tslice_writer;
