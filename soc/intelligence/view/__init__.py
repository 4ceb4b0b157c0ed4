"""Users and their transactions as tables: made from stored events, checked, and kept by version."""
