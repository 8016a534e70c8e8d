"""The rim: settings, clock, journal, Prefect, commands; the only code that knows two packages."""
