"""Stage 2: the meaning of the documents, checked: APIs, events, dialects, references."""
