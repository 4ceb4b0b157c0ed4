"""Backups of an installation: made while it is at work, proven, restored."""
