-- What a phone hands over of the time before it was linked, or while it was not.

-- history: the message came so, and was never announced.
ALTER TABLE messages ADD COLUMN history boolean NOT NULL DEFAULT false;

-- Parts of a history whose messages are being stored, a slice at a time. data: a compressed waHistorySync.HistorySync.
CREATE TABLE histories (
    id         text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    data       bytea NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX histories_of_session ON histories (session_id, id);
ALTER TABLE histories ALTER COLUMN data SET STORAGE EXTERNAL;
