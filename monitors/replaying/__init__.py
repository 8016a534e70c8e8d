"""A policy over the corpus' own past, beside calendars and the best in hindsight."""
