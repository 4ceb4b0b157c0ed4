"""Figures about the work and the platform, each with its rows, so that anybody can recompute it."""
