"""The statements of a batch. Each takes all of its rows as one JSON document."""

LOCK = 0x7465727B
"""Any number that all our writers agree on."""

# All writers of one database take turns from here to their commit, so that the positions drawn in between
# are in the order of the commits. And a writer whose connection broke during a commit learns here what became
# of it: nothing comes back when this very batch is stored already.
BEGIN = """
    WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(%s))
    INSERT INTO writers (name, batch) SELECT %s, %s FROM turn
    ON CONFLICT (name) DO UPDATE SET batch = excluded.batch WHERE writers.batch <> excluded.batch
    RETURNING true
"""

EVENTS = "terzetto_events"
"""The channel on which nodes hear that the log has grown."""

# In one order everywhere, so that nobody waits in a circle.
HOLD = {
    "sessions": "SELECT id, epoch FROM sessions WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
    "duties": "SELECT name, epoch FROM duties WHERE name = ANY(%s) ORDER BY name FOR NO KEY UPDATE",
}
"""Locks what fences are about; by table."""

STORE_MESSAGES = """
    INSERT INTO messages ({columns})
    SELECT {columns} FROM json_populate_recordset(NULL::messages, %s::json)
    ON CONFLICT DO NOTHING
    RETURNING session_id, id, chat, client_ref
"""

# `echo` is a message of ours that came back from WhatsApp as if new, before its sender could tell us the
# wa_id: it gives way to the row that the API's client knows. It is deleted before that row takes over its
# wa_id, because the update reads each row of `echo` first.
UPDATE_MESSAGES = """
    WITH wanted AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%s::json) AS wanted (
            number integer, session_id text, id text, wa_id text, chat text, from_me boolean,
            status message_status, again boolean, only_from message_status, unchanged_since timestamptz,
            error text, type text, text text, payload jsonb, raw bytea, intent jsonb, media_id text,
            chat_is text, send_at timestamptz, occurred_at timestamptz
        )
    ), target AS MATERIALIZED (
        SELECT w.*, m.id AS target_id, m.status AS before, m.wa_id AS wa_id_before
        FROM wanted w JOIN messages m ON m.session_id = w.session_id AND {match}
            AND (w.only_from IS NULL OR m.status = w.only_from)
            AND (w.unchanged_since IS NULL OR m.updated_at = w.unchanged_since)
    ), echo AS (
        DELETE FROM messages m USING target t
        WHERE m.session_id = t.session_id AND m.wa_id = t.wa_id AND m.from_me
            AND t.wa_id_before IS DISTINCT FROM t.wa_id AND m.id <> t.target_id
        RETURNING t.number, m.status
    ), decided AS (
        SELECT t.*, CASE
            WHEN t.status IS NULL THEN t.before
            WHEN t.again AND (t.only_from IS NOT NULL OR t.before IN ('failed', 'unknown')) THEN t.status
            ELSE greatest(t.before, t.status, e.status)
        END AS after, t.again AND t.before IN ('failed', 'unknown') AS anew
        FROM target t LEFT JOIN echo e USING (number)
    )
    UPDATE messages m SET
        wa_id = coalesce(d.wa_id, m.wa_id),
        status = d.after,
        error = CASE WHEN d.after <> d.before THEN d.error ELSE m.error END,
        type = coalesce(d.type, m.type),
        text = coalesce(d.text, m.text),
        payload = coalesce(d.payload, m.payload),
        raw = coalesce(d.raw, m.raw),
        intent = coalesce(d.intent, m.intent),
        media_id = coalesce(d.media_id, m.media_id),
        chat = coalesce(d.chat_is, m.chat),
        send_at = coalesce(d.send_at, CASE WHEN NOT d.anew THEN m.send_at END),
        expires_at = CASE WHEN NOT d.anew THEN m.expires_at END,
        occurred_at = coalesce(d.occurred_at, m.occurred_at),
        updated_at = now()
    FROM decided d
    WHERE m.session_id = d.session_id AND m.id = d.target_id
        AND (d.status IS NULL OR d.after <> d.before OR d.wa_id IS DISTINCT FROM d.wa_id_before)
    RETURNING d.number, d.status IS NULL OR d.after <> d.before, m.chat, m.client_ref
"""
BY_ID = "m.id = w.id"
BY_WA_ID = (
    "m.wa_id = w.wa_id AND (w.chat IS NULL OR m.chat = w.chat)"
    " AND (w.from_me IS NULL OR m.from_me = w.from_me)"
)

STORE_BATCHES = """
    INSERT INTO batches ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::batches, %s::json)
"""

# Several receipts of one batch of writes may tell of the same message and participant.
STORE_RECEIPTS = """
    WITH told AS (
        SELECT number, m.session_id, m.id AS message_id, coalesce(participant, m.chat) AS participant,
            delivered_at, read_at, played_at
        FROM json_to_recordset(%s::json) AS r (
            number integer, session_id text, wa_id text, participant text,
            delivered_at timestamptz, read_at timestamptz, played_at timestamptz
        ) JOIN messages m USING (session_id, wa_id)
        WHERE m.from_me
    ), stored AS (
        INSERT INTO receipts AS r (session_id, message_id, participant, delivered_at, read_at, played_at)
        SELECT session_id, message_id, participant, min(delivered_at), min(read_at), min(played_at) FROM told
        GROUP BY session_id, message_id, participant
        ON CONFLICT (session_id, message_id, participant) DO UPDATE SET
            delivered_at = least(r.delivered_at, excluded.delivered_at),
            read_at = least(r.read_at, excluded.read_at),
            played_at = least(r.played_at, excluded.played_at)
    )
    SELECT DISTINCT number FROM told
"""

# Numbers events and stores them. A session's events are numbered on from its last, under the lock of its row.
# Positions are microseconds (0013_event_partitions.sql says why), drawn for all at once. `behind` is how many
# events come after one, `own_behind` how many of its session.
APPEND_EVENTS = """
    WITH taken AS (
        UPDATE sessions s SET seq = s.seq + r.events, journal_seq = greatest(s.journal_seq, r.journal_seq)
        FROM json_to_recordset(%s::json) AS r (id text, events bigint, journal_seq bigint)
        WHERE s.id = r.id
        RETURNING s.id, s.seq
    ), drawn AS (
        UPDATE event_log SET position = greatest(position, event_position(clock_timestamp())) + %s
        WHERE %s > 0
        RETURNING position
    ), appended AS (
        INSERT INTO events (position, session_id, seq, event_id, event, occurred_at, data)
        SELECT drawn.position - r.behind, r.session_id, taken.seq - r.own_behind,
            r.event_id, r.event, r.occurred_at, r.data
        FROM json_to_recordset(%s::json) AS r (
            behind bigint, own_behind bigint, session_id text,
            event_id text, event text, occurred_at timestamptz, data jsonb
        ) JOIN taken ON taken.id = r.session_id CROSS JOIN drawn
    )
    SELECT id, seq, (SELECT position FROM drawn) FROM taken
"""

STORE_DELIVERIES = """
    INSERT INTO deliveries ({columns})
    SELECT {given} FROM json_populate_recordset(NULL::deliveries, %s::json) r
    JOIN webhooks w ON w.id = r.webhook_id
    ON CONFLICT (webhook_id, event_id) DO UPDATE SET {changes}
    RETURNING webhook_id, event_id
"""

STORE_ADDRESSES = """
    WITH given AS MATERIALIZED (
        SELECT DISTINCT ON (session_id, jid) * FROM json_to_recordset(%s::json) AS r (
            session_id text, jid text, alt text, name text, push_name text, business_name text
        )
    ), gone AS (
        DELETE FROM addresses a USING given g WHERE a.session_id = g.session_id AND a.jid = g.alt
    )
    INSERT INTO addresses AS a (session_id, jid, alt, name, push_name, business_name, updated_at)
    SELECT g.session_id, g.jid, g.alt, g.name, g.push_name, g.business_name, now()
    FROM given g JOIN sessions s ON s.id = g.session_id
    ON CONFLICT (session_id, jid) DO UPDATE SET
        alt = coalesce(excluded.alt, a.alt), name = excluded.name, push_name = excluded.push_name,
        business_name = excluded.business_name, updated_at = now()
    WHERE (coalesce(excluded.alt, a.alt), excluded.name, excluded.push_name, excluded.business_name)
        IS DISTINCT FROM (a.alt, a.name, a.push_name, a.business_name)
    RETURNING a.session_id
"""

_DELETE = """
    WITH gone AS (
        DELETE FROM messages WHERE {which} RETURNING session_id, wa_id
    ), heard AS (
        INSERT INTO heard (session_id, wa_id, at)
        SELECT DISTINCT session_id, wa_id, now() FROM gone WHERE wa_id IS NOT NULL
        ON CONFLICT DO NOTHING
    )
    SELECT FROM gone LIMIT 1
"""
DELETE_CHAT = _DELETE.format(
    which="session_id = %s AND chat = ANY(%s) AND status NOT IN ('queued', 'sending')"
)
DELETE_MESSAGE = _DELETE.format(which="session_id = %s AND id = %s AND status <> 'sending'")

STORE_ANSWERS = """
    UPDATE claims SET answer = r.answer
    FROM json_to_recordset(%s::json) AS r (id text, number int, answer jsonb)
    WHERE claims.id = r.id AND claims.answer IS NULL
    RETURNING r.number
"""

GIVE_BACK = """
    DELETE FROM claims WHERE id = %s AND NOT EXISTS (
        SELECT FROM messages WHERE claim_id = %s AND status <> 'failed'
    )
"""

FORGET_LEFTOVERS = "DELETE FROM leftovers WHERE session_id = %s AND (epoch, seq) <= (%s, %s)"

STORE_HEARD = """
    INSERT INTO heard AS h (session_id, wa_id, untold, at)
    SELECT DISTINCT ON (session_id, wa_id) session_id, wa_id, untold, r.at
    FROM json_to_recordset(%s::json) AS r (session_id text, wa_id text, untold jsonb, at timestamptz)
    JOIN sessions s ON s.id = session_id
    WHERE untold IS NULL OR NOT EXISTS (
        SELECT FROM messages m WHERE m.session_id = r.session_id AND m.wa_id = r.wa_id
    )
    ORDER BY session_id, wa_id, untold NULLS FIRST
    ON CONFLICT (session_id, wa_id) DO UPDATE SET untold = NULL
    WHERE excluded.untold IS NULL AND h.untold IS NOT NULL
    RETURNING session_id, wa_id
"""

TELL_LOST = """
    UPDATE heard h SET untold = NULL
    FROM json_to_recordset(%s::json) AS r (number integer, session_id text, wa_id text)
    WHERE h.session_id = r.session_id AND h.wa_id = r.wa_id AND h.untold IS NOT NULL
    RETURNING r.number, NOT EXISTS (
        SELECT FROM messages m WHERE m.session_id = r.session_id AND m.wa_id = r.wa_id
    )
"""

TRIM_DELIVERIES = """
    DELETE FROM deliveries d
    WHERE d.webhook_id = %(webhook_id)s AND (
        d.last_attempt_at < %(before)s
        OR d.status = 'delivered' AND d.last_attempt_at <= (
            SELECT last_attempt_at FROM deliveries WHERE webhook_id = %(webhook_id)s AND status = 'delivered'
            ORDER BY last_attempt_at DESC OFFSET %(keep)s LIMIT 1
        )
        OR d.status = 'dead' AND d.last_attempt_at <= (
            SELECT last_attempt_at FROM deliveries WHERE webhook_id = %(webhook_id)s AND status = 'dead'
            ORDER BY last_attempt_at DESC OFFSET %(keep)s LIMIT 1
        )
    )
"""
