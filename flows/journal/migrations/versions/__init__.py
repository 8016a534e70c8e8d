"""One file a format. A step that was published is never edited."""
