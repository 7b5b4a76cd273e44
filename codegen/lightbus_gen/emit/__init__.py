"""Stage 4: the intermediate representation becomes text. Templates only print."""
