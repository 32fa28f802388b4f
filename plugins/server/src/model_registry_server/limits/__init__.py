"""How much there may be at once: bytes that come, callers' work, streams, and servers of one registry."""
