"""Terzetto's actors: one per WhatsApp session, and those that serve them."""
