"""The console: pages for people, drawn on the server, working without scripts."""
