"""The web app in Chromium, against a whole local network."""
