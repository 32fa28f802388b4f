"""Who may do what, and what is refused before anything is done: tokens, roles, limits, hosts, and the audit log."""
