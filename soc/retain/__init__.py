"""How long what is kept is kept, why, and what is due to be forgotten."""
