"""Who may do what: users, sessions, tokens, attempts to sign in, and the guard of every route."""
