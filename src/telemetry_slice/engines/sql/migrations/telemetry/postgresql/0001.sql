-- The first tables of telemetry on PostgreSQL (15 or newer); docs/adr/0011 says why they are so.
-- Statements name no schema: a migration sets search_path to the schema that it is meant for.

CREATE TABLE series (
    series_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant_no integer NOT NULL,
    device_no integer NOT NULL,
    kind smallint NOT NULL,
    type text COLLATE "C" NOT NULL,
    unit text COLLATE "C",
    -- The newest minute in which something was received; exact for what arrives in order (series_latest).
    received_us bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX series_identity ON series (tenant_no, device_no, type, kind, unit) NULLS NOT DISTINCT;

-- bucket is a pure function of the key: the week of a UUIDv7, else 0. What is unique in its bucket is unique for ever.
CREATE TABLE event_ledger (
    bucket integer NOT NULL,
    tenant_no integer NOT NULL,
    meaning bigint NOT NULL,
    event_key uuid NOT NULL,
    PRIMARY KEY (bucket, tenant_no, event_key)
) PARTITION BY RANGE (bucket);

-- Columns of eight bytes first: no padding. One row for each measurement.
CREATE TABLE telemetry_events (
    recorded_us bigint NOT NULL,
    received_us bigint NOT NULL,
    stored_us bigint NOT NULL,
    number double precision,
    tenant_no integer NOT NULL,
    series_id integer NOT NULL,
    event_key uuid NOT NULL,
    text text COLLATE "C",
    event_text text COLLATE "C"
) PARTITION BY RANGE (recorded_us);
CREATE INDEX telemetry_events_series ON telemetry_events (series_id, recorded_us);

CREATE VIEW series_latest WITH (security_invoker = true) AS
    SELECT s.series_id, s.tenant_no, s.device_no, n.recorded_us, n.event_key, n.number, n.text,
        greatest(n.received_us, s.received_us) AS received_us
    FROM series s CROSS JOIN LATERAL (
        SELECT e.recorded_us, e.event_key, e.number, e.text, e.received_us
        FROM telemetry_events e
        WHERE e.series_id = s.series_id AND e.tenant_no = s.tenant_no
        ORDER BY e.recorded_us DESC, e.event_key DESC
        LIMIT 1
    ) n;

CREATE TABLE dead_letters (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant_no integer NOT NULL,
    event_key uuid NOT NULL,
    meaning bigint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    detail text NOT NULL,
    event_text text,
    device_id text NOT NULL,
    received_us bigint NOT NULL,
    body text NOT NULL,
    state text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX dead_letters_identity ON dead_letters (tenant_no, event_key, meaning, reason);
CREATE INDEX dead_letters_open ON dead_letters (tenant_no, id) WHERE state <> 'replayed';
CREATE INDEX dead_letters_dead ON dead_letters (tenant_no) WHERE state = 'dead';

-- Counters have one row for each of several slots, so that writers do not wait for one another's commits.
CREATE TABLE book_counts (
    tenant_no integer NOT NULL,
    slot smallint NOT NULL,
    minute_us bigint NOT NULL,
    count bigint NOT NULL,
    entry text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, minute_us, entry, code, slot)
) WITH (fillfactor = 70);
CREATE TABLE book_totals (
    tenant_no integer NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL,
    entry text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, entry, code, slot)
) WITH (fillfactor = 50);
CREATE TABLE gate_totals (
    tenant_no integer NOT NULL,
    slot smallint NOT NULL,
    total bigint NOT NULL,
    incarnation uuid NOT NULL,
    PRIMARY KEY (tenant_no, incarnation, slot)
) WITH (fillfactor = 50);
CREATE TABLE gate_minutes (
    tenant_no integer NOT NULL,
    slot smallint NOT NULL,
    minute_us bigint NOT NULL,
    total bigint NOT NULL,
    incarnation uuid NOT NULL,
    PRIMARY KEY (tenant_no, minute_us, incarnation, slot)
) WITH (fillfactor = 70);

-- A message is claimed by its row, or by lying at or below the floor of its gate.
CREATE TABLE message_claims (
    incarnation uuid NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (incarnation, sequence)
);
CREATE TABLE message_floors (
    incarnation uuid PRIMARY KEY,
    claimed bigint NOT NULL
) WITH (fillfactor = 50);

-- The newest stored_us: the store's clock does not step back when the server's does.
CREATE SEQUENCE store_clock;

-- From where and up to where each partitioned table has been cut into months (µs) and weeks; before and beyond there
-- is one partition each. What lies between start and horizon has been dropped: such an id is claimed no more.
CREATE TABLE partition_heads (
    parent text COLLATE "C" PRIMARY KEY,
    start bigint NOT NULL,
    horizon bigint NOT NULL,
    head bigint NOT NULL
);

-- Cut [head, upper) off the partition `beyond` and move what already lies there. No event makes a partition, and none
-- is without one: a forged or early id waits in `beyond` until its week is cut off.
CREATE FUNCTION cut_partition(parent text, name text, lower bigint, upper bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    beyond text := parent || '_beyond';
    keyed text := CASE parent WHEN 'event_ledger' THEN 'bucket' ELSE 'recorded_us' END;
BEGIN
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, beyond);
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', name, parent, lower, upper);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I < %s RETURNING *) INSERT INTO %I SELECT * FROM moved',
        beyond, keyed, upper, name);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (MAXVALUE)', parent, beyond, upper);
    UPDATE partition_heads h SET head = upper WHERE h.parent = cut_partition.parent;
END
$$;

-- Make the months and weeks that the next `ahead` microseconds need; how many were made. Repeating it is harmless.
-- The caller's search_path tells nothing here: it is set to the schema of this function, at the end of this file.
CREATE FUNCTION ensure_partitions(now_us bigint, ahead_us bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    week_us CONSTANT bigint := 604800000000;
    head bigint;
    upper bigint;
    made integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM partition_heads h WHERE h.head <=
        CASE h.parent WHEN 'event_ledger' THEN (now_us + ahead_us) / week_us ELSE now_us + ahead_us END)
    THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('telemetry_slice.partitions'), 'partition_heads'::regclass::oid::integer);
    -- The ledger first, as every append: two who lock in one order do not deadlock.
    SELECT h.head INTO head FROM partition_heads h WHERE h.parent = 'event_ledger';
    WHILE head <= (now_us + ahead_us) / week_us LOOP
        PERFORM cut_partition('event_ledger', 'event_ledger_w' || head, head, head + 1);
        head := head + 1;
        made := made + 1;
    END LOOP;
    SELECT h.head INTO head FROM partition_heads h WHERE h.parent = 'telemetry_events';
    WHILE head <= now_us + ahead_us LOOP
        upper := extract(epoch FROM
            (to_timestamp(head / 1000000) AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC')::bigint * 1000000;
        PERFORM cut_partition('telemetry_events',
            'telemetry_events_' || to_char(to_timestamp(head / 1000000) AT TIME ZONE 'UTC', 'YYYY_MM'), head, upper);
        head := upper;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drop the weeks of the ledger that ended before `before_us`, and remember it in the horizon; how many were dropped.
CREATE FUNCTION drop_ledger_weeks(before_us bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    week_us CONSTANT bigint := 604800000000;
    dropped integer := 0;
    week bigint;
    upto bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('telemetry_slice.partitions'), 'partition_heads'::regclass::oid::integer);
    SELECT h.horizon, least(before_us / week_us, h.head) INTO week, upto
    FROM partition_heads h WHERE h.parent = 'event_ledger';
    WHILE week < upto LOOP
        EXECUTE format('DROP TABLE %I', 'event_ledger_w' || week);
        week := week + 1;
        dropped := dropped + 1;
    END LOOP;
    UPDATE partition_heads h SET horizon = week WHERE h.parent = 'event_ledger';
    RETURN dropped;
END
$$;

-- Delete up to `most` readings recorded before `before_us`, of one tenant or (NULL) of all; how many. Of all: a month
-- that ended before is emptied whole, at once, and its readings are counted as the statistics know them.
CREATE FUNCTION expire_readings(before_us bigint, whose integer, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    part regclass;
    found boolean;
    gone bigint;
    total bigint := 0;
BEGIN
    FOR part IN
        SELECT c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE whose IS NULL AND i.inhparent = 'telemetry_events'::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
            AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month'
                <= to_timestamp(before_us / 1000000) AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO found;
        CONTINUE WHEN NOT found;
        total := total + greatest(1, pg_stat_get_live_tuples(part));
        EXECUTE format('TRUNCATE %s', part);
        -- One month in a transaction: what reads it waits for this alone.
        RETURN total;
    END LOOP;
    FOR part IN
        SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'telemetry_events'::regclass ORDER BY c.relname = 'telemetry_events_past' DESC, c.relname
    LOOP
        EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s'
            ' WHERE recorded_us < $1 AND ($2 IS NULL OR tenant_no = $2) LIMIT $3))', part)
        USING before_us, whose, most - total;
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
        EXIT WHEN total >= most;
    END LOOP;
    RETURN total;
END
$$;

-- How many open letters each tenant has: a count across tenants, nothing else.
CREATE FUNCTION open_letter_counts() RETURNS TABLE (tenant_no integer, letters bigint)
LANGUAGE sql STABLE SECURITY DEFINER AS
$$ SELECT d.tenant_no, count(*) FROM dead_letters d WHERE d.state = 'dead' GROUP BY d.tenant_no $$;

-- What a revision leaves to be filled in, in small steps: a function of that name takes how many rows at most, and
-- returns how many it has changed, 0 when none is left. Releases that do not know the new may still write the old:
-- a backfill is looked at again and again, until the revision that takes the old away takes it away too.
CREATE TABLE backfills (name text COLLATE "C" PRIMARY KEY);

-- One step of one backfill, a transaction of its own; rows changed, 0 when none is left.
CREATE FUNCTION backfill_step(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    due text;
    changed integer;
BEGIN
    FOR due IN SELECT b.name FROM backfills b ORDER BY b.name FOR UPDATE SKIP LOCKED LOOP
        EXECUTE format('SELECT %I($1)', due) INTO changed USING most;
        EXIT WHEN changed > 0;
    END LOOP;
    RETURN coalesce(changed, 0);
END
$$;

DO $$
DECLARE
    month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC' - interval '35 days');
    month_us bigint := extract(epoch FROM month AT TIME ZONE 'UTC')::bigint * 1000000;
    week bigint := month_us / 604800000000;
    tenants text;
    tenant text;
    named text;
    proc regprocedure;
BEGIN
    -- What is older than the hot window at the installation shares one partition; so do ids that are older, or carry
    -- no time: that branch of the ledger is permanent.
    EXECUTE format('CREATE TABLE telemetry_events_past PARTITION OF telemetry_events'
        ' FOR VALUES FROM (MINVALUE) TO (%s)', month_us);
    EXECUTE format('CREATE TABLE telemetry_events_beyond PARTITION OF telemetry_events'
        ' FOR VALUES FROM (%s) TO (MAXVALUE)', month_us);
    EXECUTE format('CREATE TABLE event_ledger_permanent PARTITION OF event_ledger'
        ' FOR VALUES FROM (MINVALUE) TO (%s) PARTITION BY HASH (event_key)', week);
    FOR part IN 0..3 LOOP
        EXECUTE format('CREATE TABLE event_ledger_permanent_%s PARTITION OF event_ledger_permanent'
            ' FOR VALUES WITH (MODULUS 4, REMAINDER %s)', part, part);
    END LOOP;
    EXECUTE format('CREATE TABLE event_ledger_beyond PARTITION OF event_ledger'
        ' FOR VALUES FROM (%s) TO (MAXVALUE)', week);
    INSERT INTO partition_heads VALUES
        ('telemetry_events', month_us, month_us, month_us), ('event_ledger', week, week, week);

    tenant := $policy$tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int)$policy$;
    -- The outer cast makes the subquery one array instead of rows to compare with; the inner one is evaluated once.
    tenants := $policy$tenant_no = ANY ((SELECT
        string_to_array(NULLIF(current_setting('app.tenants', true), ''), ',')::int[])::int[])$policy$;
    FOREACH named IN ARRAY ARRAY['series', 'event_ledger', 'telemetry_events', 'dead_letters', 'book_counts',
        'book_totals', 'gate_totals', 'gate_minutes']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named);
        EXECUTE format('CREATE POLICY api ON %I TO tslice_api USING (%s) WITH CHECK (%s)', named, tenant, tenant);
        EXECUTE format('CREATE POLICY writer ON %I TO tslice_writer USING (%s) WITH CHECK (%s)', named, tenants, tenants);
    END LOOP;

    EXECUTE format('GRANT USAGE ON SCHEMA %I TO tslice_api, tslice_writer', current_schema());
    -- A function of the owner must not be led to look for its tables elsewhere.
    FOREACH proc IN ARRAY ARRAY['ensure_partitions(bigint, bigint)', 'drop_ledger_weeks(bigint)',
        'expire_readings(bigint, integer, integer)', 'open_letter_counts()', 'backfill_step(integer)',
        'cut_partition(text, text, bigint, bigint)']::regprocedure[]
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', proc);
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', proc, current_schema());
    END LOOP;
END
$$;
-- Cutting waits for whoever reads the whole table; it must not let others wait for long.
ALTER FUNCTION ensure_partitions(bigint, bigint) SET lock_timeout = '2s';
ALTER FUNCTION drop_ledger_weeks(bigint) SET lock_timeout = '2s';
ALTER FUNCTION backfill_step(integer) SET lock_timeout = '2s';
ALTER FUNCTION expire_readings(bigint, integer, integer) SET lock_timeout = '2s';

-- The owner's own look at letters is for open_letter_counts() alone.
CREATE POLICY counts ON dead_letters FOR SELECT TO tslice_owner USING (true);

GRANT SELECT ON series, telemetry_events, series_latest, dead_letters TO tslice_api;
GRANT SELECT, INSERT ON series, event_ledger, telemetry_events, dead_letters, book_counts, book_totals, gate_totals,
    gate_minutes, message_claims, message_floors TO tslice_writer;
GRANT UPDATE ON dead_letters, book_counts, book_totals, gate_totals, gate_minutes, message_floors TO tslice_writer;
GRANT UPDATE (received_us) ON series TO tslice_writer;
GRANT DELETE ON event_ledger, message_claims TO tslice_writer;
GRANT USAGE, SELECT, UPDATE ON SEQUENCE store_clock TO tslice_writer;
GRANT SELECT ON partition_heads, alembic_version TO tslice_api, tslice_writer;
GRANT EXECUTE ON FUNCTION ensure_partitions(bigint, bigint), drop_ledger_weeks(bigint),
    expire_readings(bigint, integer, integer), open_letter_counts(), backfill_step(integer) TO tslice_writer;

SELECT ensure_partitions((extract(epoch FROM now()) * 1000000)::bigint, 8::bigint * 604800000000);
