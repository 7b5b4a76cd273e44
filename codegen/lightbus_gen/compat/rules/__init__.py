"""The rules, what they find, and what a project allows."""
