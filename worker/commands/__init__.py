"""The commands, by what they are about; `worker.cli` puts them together. Heavy imports wait until a command runs."""
