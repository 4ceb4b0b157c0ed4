"""The composition root: settings in, a wired suite out. Only here are real parts picked."""
