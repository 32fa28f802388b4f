"""A registry for a team: a REST API over a folder, and a client that is used like a local registry."""
