"""Evaluate Sigma rules plainly: one event, one rule at a time, as the specification says.

It is the oracle that faster engines are compared with, so it shares no code with them. Read
``load``, ``rule``, ``condition`` and ``predicate`` in this order.
"""
