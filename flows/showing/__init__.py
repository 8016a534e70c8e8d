"""What commands show: objects for scripts, tables for people, figures for Prometheus."""
