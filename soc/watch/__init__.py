"""Join the stages: windows, hunts and scans; here transactions are opened."""
