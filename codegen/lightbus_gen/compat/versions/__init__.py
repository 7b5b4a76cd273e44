"""The versions of the schemas to compare, from git or from disk."""
