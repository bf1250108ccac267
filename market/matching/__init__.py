"""Matching: bids meet offers; one pure function behind one seam."""
