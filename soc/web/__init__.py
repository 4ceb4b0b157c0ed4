"""The front door: HTTP for shippers, edges, people and scripts. It alone writes the event store."""
