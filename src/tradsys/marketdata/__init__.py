"""The public feed: publisher, retention, snapshots, recovery door."""
