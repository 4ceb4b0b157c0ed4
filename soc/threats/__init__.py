"""What may go wrong, what is done about it, and how much of that was observed to work."""
