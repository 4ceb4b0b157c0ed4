"""The event store: what was acknowledged is durable, numbered without gaps, and never lost."""
