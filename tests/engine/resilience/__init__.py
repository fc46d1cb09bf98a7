"""Breaker, retries, their budgets, fallbacks, policies and sagas together: see `test_resilience_machine`."""
