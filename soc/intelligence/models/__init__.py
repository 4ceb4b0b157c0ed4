"""Models of what users will do: built on features of a moment, judged on what came after it."""
