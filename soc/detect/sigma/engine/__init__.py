"""Evaluate thousands of rules on each event by looking only at what is new about it.

Value -> class (which questions the value answers with yes) -> signature (the classes of all fields
that matter) -> rules. A value is asked about once, and rules are evaluated once per signature.
"""
