"""Schemas in comparable form: views of their keywords, shapes of what is sent, fields."""
