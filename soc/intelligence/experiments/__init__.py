"""Experiments: planned before, assigned by hash, measured per unit, looked at as planned."""
