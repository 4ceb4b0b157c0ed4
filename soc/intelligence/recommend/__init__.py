"""Projects that a donor may like, by donors of the same taste, and how right that was."""
