"""`GET /metrics` for Prometheus.

    counted     what the parts count: storage, cells, hub, webhooks, HTTP
    parts       what the supervision tree shows of its parts
    sessions    what it shows of sessions, and what these count
    collector   all of it, when it is asked for
    endpoint    the route

No actor is asked for anything, so none can keep a scrape waiting. No label is taken from what clients send,
but for the ids of sessions, of which at most so many have series of their own; the others share `other`.
"""
