"""One WhatsApp session: its protocol (messages), its state machine (state) and its actor (actor)."""
