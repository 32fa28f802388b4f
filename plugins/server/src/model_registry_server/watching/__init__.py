"""What is known of how the server and its registry are: what changes, whether it is ready, what was verified."""
