"""The long runs behind the result ledger: ``python -m metatutor.experiments NAME``."""
