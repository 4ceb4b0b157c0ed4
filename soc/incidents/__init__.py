"""Findings become alerts, alerts become incidents, and people close them with a verdict."""
