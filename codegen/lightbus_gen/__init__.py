"""Generates typed clients."""
