"""Playbooks in the words of others: CACAO Security Playbooks 2.0, out and in."""
