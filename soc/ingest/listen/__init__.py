"""Inputs that stay open: syslog and files. Each hands lines to a function, and knows no store."""
