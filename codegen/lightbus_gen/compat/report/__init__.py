"""Findings as text, JSON, annotations and JUnit, and the changelog."""
