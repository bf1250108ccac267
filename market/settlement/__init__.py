"""Settlement: epochs of receipts, their posting, and their claims."""
