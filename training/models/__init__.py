"""Base models and adapters: found, checked as foreign, loaded and saved."""
