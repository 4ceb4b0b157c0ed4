"""Numbers that describe each user as of a moment, from what was known by then."""
