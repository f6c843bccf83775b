-- Messages that are known by their ids alone.

-- What came and is no row of its own (reactions, edits, keys, chats that are ignored), and what was deleted again:
-- it is not lost when WhatsApp delivers it once more.
-- untold: of a message that came again although nothing of it is stored, what is to be told of it; NULL once it
-- is told, or turned out not to be lost.
CREATE TABLE heard (
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    wa_id      text NOT NULL,
    untold     jsonb,
    at         timestamptz NOT NULL,
    PRIMARY KEY (session_id, wa_id)
);
CREATE INDEX heard_untold ON heard (session_id, at) WHERE untold IS NOT NULL;
CREATE INDEX heard_by_age ON heard (at);
