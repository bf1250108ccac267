"""The buyer's SDK: asynchronous clients and jobs, and the same for callers that block (`blocking`)."""
