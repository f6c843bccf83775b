"""Many nodes that share one database: which of them owns a session, and for how long it may believe so."""
