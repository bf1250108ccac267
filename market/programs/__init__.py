"""Programs: admission of uploaded modules and their registration on chain."""
