"""Verifiers: hold staked seats, replay what they are drawn for, commit and reveal, challenge, vote."""
