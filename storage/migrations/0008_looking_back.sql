-- What is looked for backwards in the log: how a session came to be as it is, and who was last seen online.

CREATE INDEX events_of_status ON events (session_id, seq) WHERE event = 'session.status';
CREATE INDEX events_of_presence ON events (session_id, (data ->> 'jid'), seq) WHERE event = 'presence.update';
CREATE INDEX events_of_presence_alt ON events (session_id, (data ->> 'jidAlt'), seq)
    WHERE event = 'presence.update';
