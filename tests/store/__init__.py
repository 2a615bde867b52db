"""What every engine behind the store's interface must hold to; tests/test_store.py has what is SQLite's own."""
