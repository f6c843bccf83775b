-- Sessions, their API keys, messages and the event log, and the webhooks that are told of it.

CREATE TABLE sessions (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    desired      text NOT NULL CHECK (desired IN ('running', 'stopped')),
    status       text NOT NULL,
    status_since timestamptz NOT NULL,
    jid          text,
    lid          text,
    phone        text,
    push_name    text,
    last_error   text,
    restarts     integer NOT NULL,
    settings     jsonb NOT NULL,
    metadata     jsonb NOT NULL,
    seq          bigint NOT NULL DEFAULT 0,
    journal_seq  bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
)
-- seq changes with every batch: room on the page keeps those updates off the index.
WITH (fillfactor = 50);

CREATE TABLE keys (
    id           text PRIMARY KEY,
    session_id   text REFERENCES sessions ON DELETE CASCADE,
    name         text NOT NULL,
    prefix       text NOT NULL,
    hash         bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes       text[] NOT NULL,
    allowed_ips  text[] NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX keys_session ON keys (session_id);

CREATE TABLE webhooks (
    id                    text PRIMARY KEY,
    session_id            text REFERENCES sessions ON DELETE CASCADE,
    url                   text NOT NULL,
    events                text[] NOT NULL,
    secret                text NOT NULL,
    previous_secret       text,
    previous_secret_until timestamptz,
    active                boolean NOT NULL,
    headers               jsonb NOT NULL,
    filters               jsonb NOT NULL,
    cursor                bigint NOT NULL,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL
)
WITH (fillfactor = 50);
CREATE INDEX webhooks_session ON webhooks (session_id);

-- In the order in which a message moves: a later status is greater.
CREATE TYPE message_status AS ENUM (
    'queued', 'sending', 'unknown', 'failed', 'received', 'sent', 'delivered', 'read', 'played'
);

CREATE TABLE messages (
    session_id      text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    id              text NOT NULL,
    wa_id           text,
    chat            text NOT NULL,
    sender          text NOT NULL,
    recipient_phone text,
    from_me         boolean NOT NULL,
    type            text NOT NULL,
    text            text,
    payload         jsonb NOT NULL,
    status          message_status NOT NULL,
    error           text,
    client_ref      text,
    occurred_at     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (session_id, id)
);
-- WhatsApp may deliver a message more than once; it is one message all the same. A NULL wa_id equals no other.
-- wa_id comes before chat because a receipt may name the chat by its other address.
CREATE UNIQUE INDEX messages_once ON messages (session_id, wa_id, chat, from_me);
CREATE INDEX messages_newest ON messages (session_id, occurred_at, id);
CREATE INDEX messages_of_chat ON messages (session_id, chat, occurred_at, id);
CREATE INDEX messages_under_way ON messages (status, session_id) WHERE status IN ('queued', 'sending');
CREATE INDEX messages_words ON messages USING gin (to_tsvector('simple', text)) WHERE text IS NOT NULL;

-- Append-only. position is the order over all sessions: it is drawn while the writer holds the lock that
-- all writers share, so it is the order of commit too, and whoever read up to a position has missed nothing
-- before it.
CREATE TABLE events (
    position    bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id  text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    seq         bigint NOT NULL,
    event_id    text NOT NULL UNIQUE,
    event       text NOT NULL,
    occurred_at timestamptz NOT NULL,
    data        jsonb NOT NULL,
    PRIMARY KEY (session_id, seq)
);
CREATE INDEX events_of_session ON events (session_id, position);

-- The last batch each writer committed: a writer whose connection broke in the middle of a commit finds out
-- here whether the commit took place.
CREATE TABLE writers (
    name  text PRIMARY KEY,
    batch text NOT NULL
)
WITH (fillfactor = 50);
