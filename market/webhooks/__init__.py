"""Webhooks: buyers are told of their jobs, in the form of Standard Webhooks."""
