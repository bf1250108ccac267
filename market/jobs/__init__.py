"""Jobs: opened by signed bids, cut into spans."""
