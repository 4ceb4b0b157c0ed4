"""Play the whole main job: the suite, a small real platform, and those who use and attack it."""
