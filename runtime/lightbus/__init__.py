"""Lightbus on NATS JetStream."""
