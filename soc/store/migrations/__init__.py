"""How the schema came to be, a revision a file."""
