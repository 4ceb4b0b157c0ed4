"""A small real funding platform: it stands outside the suite, sends it events and asks its edge."""
