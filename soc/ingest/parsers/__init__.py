"""Parsers: each turns the lines it claims into rows, and knows no store."""
