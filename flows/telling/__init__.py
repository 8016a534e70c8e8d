"""Who is told what: notices, events and requests, delivered from the outbox."""
