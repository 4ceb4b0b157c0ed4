"""Which projects are given to together more than their popularity explains."""
