"""Say what is wrong with rules that load all the same."""
