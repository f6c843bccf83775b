-- What WhatsApp, or a limit of ours, keeps an account from: by the state's name {reason, since, until}.
ALTER TABLE sessions ADD COLUMN health jsonb NOT NULL DEFAULT '{}';

-- Which queued messages are over next.
CREATE INDEX messages_expiring ON messages (session_id, expires_at)
    WHERE status = 'queued' AND expires_at IS NOT NULL;
