"""Incidents in, effects out: decide first, act later, and undo on time."""
