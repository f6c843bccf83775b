-- What became of the events that webhooks were told of; sessions that fell behind the rest; replays.

-- held: {session: position}. Events of these sessions are delivered past that position, not past the cursor.
-- replay: {position, until}: the stretch of the log that is delivered again.
ALTER TABLE webhooks
    ADD COLUMN held jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN replay jsonb;

CREATE TABLE deliveries (
    webhook_id       text NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    event_id         text NOT NULL,
    session_id       text NOT NULL,
    event            text NOT NULL,
    status           text NOT NULL CHECK (status IN ('failing', 'delivered', 'dead')),
    attempts         integer NOT NULL,
    first_attempt_at timestamptz NOT NULL,
    last_attempt_at  timestamptz NOT NULL,
    latency_ms       integer NOT NULL,
    response_status  integer,
    response_body    text NOT NULL,
    error            text,
    PRIMARY KEY (webhook_id, event_id)
)
-- One that fails changes with every try.
WITH (fillfactor = 80);
CREATE INDEX deliveries_newest ON deliveries (webhook_id, status, last_attempt_at, event_id);

-- For a replay from a time. The log is nearly in the order of time, and a block range index costs next to nothing.
CREATE INDEX events_by_time ON events USING brin (occurred_at);
