-- The event log in partitions by time, so that what is old is dropped as a table and not deleted row by row.
--
-- A position is the microsecond, counted from 1970, in which its event was appended, or one more than the last
-- where that is not yet past. So it grows whatever the clock does, in the order of commit, and the partitions by
-- position are partitions by time. Positions from before are small numbers and come first, as they should.

-- Where the log ends and begins: one row, changed in the transaction that appends or drops. Whoever has read up
-- to less than `dropped` has missed something.
CREATE TABLE event_log (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    dropped  bigint NOT NULL
);
INSERT INTO event_log (position, dropped) SELECT coalesce(max(position), 0), 0 FROM events;

CREATE FUNCTION event_position(moment timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE RETURN (extract(epoch FROM moment) * 1000000)::bigint;

-- What there is stays where it is, as the first partition.
ALTER TABLE events RENAME TO events_before;
ALTER TABLE events_before ALTER COLUMN position DROP IDENTITY;
ALTER TABLE events_before RENAME CONSTRAINT events_pkey TO events_before_pkey;
ALTER TABLE events_before RENAME CONSTRAINT events_event_id_key TO events_before_event_id_key;
ALTER TABLE events_before RENAME CONSTRAINT events_position_key TO events_before_position_key;
ALTER INDEX events_of_session RENAME TO events_before_session_id_position_idx;
ALTER INDEX events_by_time RENAME TO events_before_occurred_at_idx;
ALTER INDEX events_of_status RENAME TO events_before_status_idx;
ALTER INDEX events_of_presence RENAME TO events_before_presence_idx;
ALTER INDEX events_of_presence_alt RENAME TO events_before_presence_alt_idx;

-- Each partition has a PRIMARY KEY (session_id, seq) and a UNIQUE (event_id) of its own, which no constraint
-- over all of them could be. Over all of them the writer sees to it: it numbers a session's events under the lock
-- of its row, and an event_id holds 80 random bits beside its time.
CREATE TABLE events (
    position    bigint NOT NULL CONSTRAINT events_position_key UNIQUE,
    session_id  text NOT NULL CONSTRAINT events_session_id_fkey REFERENCES sessions ON DELETE CASCADE,
    seq         bigint NOT NULL,
    event_id    text NOT NULL,
    event       text NOT NULL,
    occurred_at timestamptz NOT NULL,
    data        jsonb NOT NULL
) PARTITION BY RANGE (position);
CREATE INDEX events_of_session ON events (session_id, position);
CREATE INDEX events_by_time ON events USING brin (occurred_at);
CREATE INDEX events_of_status ON events (session_id, seq) WHERE event = 'session.status';
CREATE INDEX events_of_presence ON events (session_id, (data ->> 'jid'), seq) WHERE event = 'presence.update';
CREATE INDEX events_of_presence_alt ON events (session_id, (data ->> 'jidAlt'), seq)
    WHERE event = 'presence.update';

-- Takes what no partition was made for in time; it is moved there when it is made.
CREATE TABLE events_unplaced (LIKE events_before INCLUDING ALL);
ALTER TABLE events ATTACH PARTITION events_unplaced DEFAULT;

DO $$
BEGIN
    EXECUTE format(
        'ALTER TABLE events ATTACH PARTITION events_before FOR VALUES FROM (MINVALUE) TO (%s)',
        event_position(date_trunc('day', now(), 'UTC'))
    );
END $$;

-- The partitions that were made for a time, and the position before which each ends.
CREATE VIEW event_partitions AS
    SELECT
        relname::text AS name,
        (regexp_match(pg_get_expr(relpartbound, pg_class.oid), 'TO \(''(\d+)''\)'))[1]::bigint AS ends
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'events'::regclass AND inhrelid <> 'events_unplaced'::regclass;

-- Make partitions, each for so many days, until there are some for as many days from now; how many were made.
-- To be called in turn with the writers, under their lock.
CREATE FUNCTION extend_events(days integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    starts bigint;
    ends   bigint;
    name   text;
    made   integer := 0;
BEGIN
    -- After the last, or, where that ended long ago, with the day of the first event that has none, or today.
    SELECT greatest(
        (SELECT max(p.ends) FROM event_partitions p),
        event_position(date_trunc(
            'day', least(now(), (SELECT to_timestamp(min(position) / 1e6) FROM events_unplaced)), 'UTC'
        ))
    ) INTO starts;
    WHILE starts < event_position(now() + make_interval(days => days)) LOOP
        ends := starts + days * 86400000000;
        name := 'events_' || to_char(to_timestamp(starts / 1e6) AT TIME ZONE 'UTC', 'YYYYMMDD');
        EXECUTE format('CREATE TABLE %I (LIKE events_unplaced INCLUDING ALL)', name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM events_unplaced WHERE position >= %s AND position < %s RETURNING *)'
            ' INSERT INTO %I SELECT * FROM moved',
            starts, ends, name
        );
        EXECUTE format(
            'ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, starts, ends
        );
        starts := ends;
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

SELECT extend_events(3);
