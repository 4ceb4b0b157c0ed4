"""Indices that others write: pulled through intake like every source, counted, and told of."""
