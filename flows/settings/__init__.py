"""Settings, one file for each table; only `settings` reads the file and the environment."""
