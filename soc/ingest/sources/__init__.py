"""Sources that a site describes in YAML: how their lines become events, without Python."""
