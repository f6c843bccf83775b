"""The port to the WhatsApp client library, which runs in child processes and never in the gateway's own."""
