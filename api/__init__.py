"""The gateway put together: configuration, HTTP, WebSocket, and the command line."""
