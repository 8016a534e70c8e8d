"""Which model answers: evidence, the champion's alias, and the history of promotions."""
