"""The life of an API: its versions, how long each lasts, and what changed between two."""
