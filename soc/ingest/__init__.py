"""Bytes in, rows out: sources, parsers and the classes of what arrives."""
