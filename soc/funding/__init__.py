"""Rounds, projects and gifts, and the mathematics of how a matching pool is shared."""
