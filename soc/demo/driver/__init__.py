"""Play a planned round against the platform over HTTP: donors, attackers, and one who approves."""
