"""What was observed: each kind of evidence is one class that looks into what is stored."""
