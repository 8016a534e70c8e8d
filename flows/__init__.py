"""The rim: settings, clock, journal, Prefect, commands; the only code that knows two packages."""

from flows.quiet import quiet_libraries

# Before anything of ours imports a library: some read their settings when they are imported.
quiet_libraries()
