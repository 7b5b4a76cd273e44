"""Stage 3: every decision about the generated code: names, annotations, defaults, order."""
