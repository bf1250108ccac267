"""Programs on devices behind interfaces that Python already has: `concurrent.futures` and joblib."""
