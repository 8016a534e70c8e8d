"""The rim: settings, clock, journal, Prefect, command line; the only code that knows two packages."""
