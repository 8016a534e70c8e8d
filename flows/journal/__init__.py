"""What happened and who may write: the journal, its leases and its outbox."""
