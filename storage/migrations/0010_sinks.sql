-- How far each message broker has been told; who they are the configuration says.

-- held: {session: position}, as of webhooks.
CREATE TABLE sinks (
    id         text PRIMARY KEY,
    cursor     bigint NOT NULL,
    held       jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
)
WITH (fillfactor = 50);
