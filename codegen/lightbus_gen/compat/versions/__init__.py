"""The two versions of the schemas that are compared, from git or from disk."""
