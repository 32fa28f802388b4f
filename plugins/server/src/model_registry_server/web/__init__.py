"""The web pages: HTML made by the server, which small scripts make quicker to use, under ``/ui``."""
