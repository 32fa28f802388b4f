"""Bytes in and bytes out: what a response sends, and what a request's body leaves on the disk.

Nothing here knows models, tokens or routes. No body is ever whole in memory, and nothing slow runs in the event loop.
"""
