-- People who sign in to the dashboard with a name and a password, and the browsers in which they have.

CREATE TABLE users (
    id              text PRIMARY KEY,
    name            text NOT NULL,
    password        text NOT NULL,
    role            text NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    sessions        text[] NOT NULL,
    disabled_at     timestamptz,
    last_sign_in_at timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
-- Nobody is to pass for somebody else by a capital letter. Names are ASCII.
CREATE UNIQUE INDEX users_name ON users (lower(name COLLATE "C"));

CREATE TABLE sign_ins (
    id           text PRIMARY KEY,
    user_id      text NOT NULL REFERENCES users ON DELETE CASCADE,
    hash         bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    address      text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
)
WITH (fillfactor = 50);
CREATE INDEX sign_ins_of_user ON sign_ins (user_id, created_at);

-- With a new password, or when somebody is disabled, all that was opened by the old one ends in the same commit.
CREATE FUNCTION end_sign_ins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM sign_ins WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_sign_ins AFTER UPDATE ON users FOR EACH ROW
    WHEN (OLD.password IS DISTINCT FROM NEW.password OR NEW.disabled_at IS NOT NULL)
    EXECUTE FUNCTION end_sign_ins();

-- Who may see a session that is gone does not see another that gets its id later.
CREATE FUNCTION forget_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET sessions = array_remove(sessions, OLD.id) WHERE OLD.id = ANY (sessions);
    RETURN NULL;
END
$$;
CREATE TRIGGER sessions_users AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION forget_session();

-- What was done was done with a key, or by a user.
ALTER TABLE audit
    ALTER COLUMN key_id DROP NOT NULL,
    ALTER COLUMN key_prefix DROP NOT NULL,
    ADD COLUMN user_id text,
    ADD COLUMN user_name text,
    ADD CHECK (num_nonnulls(key_id, user_id) = 1);
