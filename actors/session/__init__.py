"""One WhatsApp session: its protocol (messages), its state machine (state) and the actor that lives it (actor)."""
