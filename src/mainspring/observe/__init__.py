"""Ways for others to see what happens. Each looks through the engine's own streams, and what it needs is loaded with it."""
