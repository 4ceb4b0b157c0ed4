"""Who may do what: people, their roles and sessions, and tokens for machines."""
