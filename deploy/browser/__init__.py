"""The web app in a real browser, on a network of its own."""
