"""A WhatsApp-compatible network on loopback: server, media host and simulated phones."""
