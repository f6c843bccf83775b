"""Files on their way in: fetched, converted, stored, and found again.

    URL ── Fetcher ──┐
    base64, upload ──┼── Intake ── Decoders ──> MediaStore
    stored file ─────┘

Whatever comes from outside is hostile: where it may be fetched from, how much of it there may be and what it
may become are decided here, by its address and its bytes and never by what it says of itself.
"""
