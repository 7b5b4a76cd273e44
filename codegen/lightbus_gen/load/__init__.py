"""Stage 2: what the documents mean, checked: APIs, events, dialects, references."""
