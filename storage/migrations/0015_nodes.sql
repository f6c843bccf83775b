-- Gateways that share this database: which there are, and which of them has what.
-- compatible with programs from 0014

-- A node registers anew, under another id, at each start and whenever it was too late to renew: an id that is gone
-- never comes back. What it holds it holds until expires_at, by this server's clock; whoever finds that past
-- deletes the row, and what the node held is nobody's.
-- process: as its connections and its writer are called.
-- secret: what requests are signed with that other nodes pass on to it.
-- load: {memory, memoryTotal}, in bytes.
CREATE TABLE nodes (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    url        text NOT NULL,
    process    text NOT NULL,
    secret     bytea NOT NULL CHECK (length(secret) = 32),
    version    text NOT NULL,
    state      text NOT NULL CHECK (state IN ('running', 'draining')),
    load       jsonb NOT NULL,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
)
-- A heartbeat changes the row.
WITH (fillfactor = 50);

-- epoch grows whenever the session is another node's: what is written under an older one is refused.
ALTER TABLE sessions
    ADD COLUMN node  text REFERENCES nodes ON DELETE SET NULL,
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
CREATE INDEX sessions_of_node ON sessions (node);

-- Where a node's time with a session began, in the session's journal: what the node before it had received and not
-- stored lies past that, in that node's own files. Gone once it has handed that in.
CREATE TABLE tenures (
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    epoch      bigint NOT NULL,
    after      bigint NOT NULL,
    PRIMARY KEY (session_id, epoch)
);

-- What was handed in, until whoever has the session now has stored it. kind, at, payload: as in a journal.
CREATE TABLE leftovers (
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    epoch      bigint NOT NULL,
    seq        bigint NOT NULL,
    kind       smallint NOT NULL,
    at         bigint NOT NULL,
    payload    bytea NOT NULL,
    PRIMARY KEY (session_id, epoch, seq)
);

-- What one node at a time does for all: as with sessions.
CREATE TABLE duties (
    name  text PRIMARY KEY,
    node  text REFERENCES nodes ON DELETE SET NULL,
    epoch bigint NOT NULL DEFAULT 0
);
INSERT INTO duties (name) VALUES ('webhooks'), ('sinks'), ('retention');
