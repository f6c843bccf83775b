-- Who is behind an address: people, by phone number where it is known, and groups, each with its names.

-- alt: the same person's other address. name: what the account calls a person, or a group's subject.
-- push_name: what people call themselves.
CREATE TABLE addresses (
    session_id    text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    jid           text NOT NULL,
    alt           text,
    name          text,
    push_name     text,
    business_name text,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (session_id, jid)
);
CREATE INDEX addresses_alt ON addresses (session_id, alt) WHERE alt IS NOT NULL;

-- What others wrote and nobody has read.
CREATE INDEX messages_unread ON messages (session_id, chat) WHERE status = 'received' AND NOT from_me;
