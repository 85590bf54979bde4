"""Aegis: a trading desk of small services on NATS."""
