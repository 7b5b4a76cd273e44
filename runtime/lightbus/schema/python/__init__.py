"""Python types as JSON Schema, and back."""
