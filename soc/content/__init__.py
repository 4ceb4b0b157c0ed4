"""Read what people write: strictly, and with every mistake of a file at once."""
