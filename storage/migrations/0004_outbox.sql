-- Messages that wait to be sent, what they are to be, and the answers to requests that are made again.

-- raw: the message as WhatsApp carries it (a serialised waE2E.Message): what a quote, a forward, a download
-- and a vote are made from.
-- intent: what an outgoing message was asked to be, from which it is composed when its turn comes.
ALTER TABLE messages
    ADD COLUMN raw        bytea,
    ADD COLUMN intent     jsonb,
    ADD COLUMN media_id   text,
    ADD COLUMN priority   smallint NOT NULL DEFAULT 0,
    ADD COLUMN send_at    timestamptz,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN batch_id   text,
    ADD COLUMN claim_id   text;
CREATE INDEX messages_queued ON messages (session_id, priority DESC, send_at NULLS FIRST, id)
    WHERE status = 'queued';
CREATE INDEX messages_of_batch ON messages (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX messages_of_claim ON messages (claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX messages_with_media ON messages (media_id) WHERE media_id IS NOT NULL;

-- Many messages asked for at once.
CREATE TABLE batches (
    id         text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    state      text NOT NULL CHECK (state IN ('running', 'paused', 'cancelled')),
    total      integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX batches_of_session ON batches (session_id, created_at);

-- An Idempotency-Key that somebody used: whose, for what request, and the first answer to it once there is one.
CREATE TABLE claims (
    id         text PRIMARY KEY,
    owner      text NOT NULL,
    key        text NOT NULL,
    request    bytea NOT NULL,
    answer     jsonb,
    created_at timestamptz NOT NULL,
    UNIQUE (owner, key)
);
CREATE INDEX claims_by_age ON claims (created_at);

-- Who has received, read and played a message of ours, of each participant in a group.
CREATE TABLE receipts (
    session_id   text NOT NULL,
    message_id   text NOT NULL,
    participant  text NOT NULL,
    delivered_at timestamptz,
    read_at      timestamptz,
    played_at    timestamptz,
    PRIMARY KEY (session_id, message_id, participant),
    FOREIGN KEY (session_id, message_id) REFERENCES messages ON DELETE CASCADE
);
