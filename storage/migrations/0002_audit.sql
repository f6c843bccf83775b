-- Who did what to the gateway. Append-only, and tied to no other table: an entry outlives the key and the target.

CREATE TABLE audit (
    id         text PRIMARY KEY,
    at         timestamptz NOT NULL,
    key_id     text NOT NULL,
    key_prefix text NOT NULL,
    address    text,
    request_id text NOT NULL,
    action     text NOT NULL,
    target     text,
    outcome    text NOT NULL,
    detail     jsonb NOT NULL
);
CREATE INDEX audit_newest ON audit (at, id);
CREATE INDEX audit_of_target ON audit (target, at, id);
CREATE INDEX audit_of_action ON audit (action, at, id);
