"""The REST API: one file for each kind of thing that it is about, each with a router of its own."""
