"""The values that travel between stages: frozen, legal from birth, in UTC."""
