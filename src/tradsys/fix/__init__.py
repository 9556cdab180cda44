"""FIX 4.4 without sockets: messages and their rules, the session as a state machine, schedules and settings."""
