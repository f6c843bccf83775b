"""The network's wire: proxy, TLS, WebSocket, Noise and the binary node codec, up to an authenticated link."""
