"""Findings as text, JSON, annotations, JUnit, and the changelog."""
