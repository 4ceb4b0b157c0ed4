"""The command line: read arguments, ask a stage, print its answer."""
