-- Files: of messages, and uploaded or fetched to be sent. Their bytes lie here too, because the nodes share
-- nothing but this database.

-- mime_type: what the bytes are, whatever they were called.
-- details: width, height, seconds, waveform, …: what a message has to say about its file.
CREATE TABLE media (
    id         text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    mime_type  text NOT NULL,
    size       bigint NOT NULL CHECK (size >= 0),
    file_name  text,
    source     text NOT NULL CHECK (source IN ('upload', 'fetched', 'inbound')),
    details    jsonb NOT NULL,
    thumbnail  bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
-- An id begins with its time.
CREATE INDEX media_newest ON media (session_id, id);
CREATE INDEX media_expiring ON media (expires_at) WHERE expires_at IS NOT NULL;

-- A file in parts of 256 kB (the last may be shorter), numbered from 0: a range is read without the rest.
CREATE TABLE media_parts (
    media_id text NOT NULL REFERENCES media ON DELETE CASCADE,
    number   integer NOT NULL,
    data     bytea NOT NULL,
    PRIMARY KEY (media_id, number)
);
-- Pictures and films are compressed already.
ALTER TABLE media_parts ALTER COLUMN data SET STORAGE EXTERNAL;
