"""The production engine under a seed: two processes on one store, faults at named points, and an audit of all they write."""
