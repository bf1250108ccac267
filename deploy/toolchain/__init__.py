"""The pinned outside tools: where their binaries lie and how Brownie is run with them."""

from deploy.toolchain.binaries import ROOT, ToolMissingError, anvil_binary, forge_binary, solc_directory

__all__ = ["ROOT", "ToolMissingError", "anvil_binary", "forge_binary", "solc_directory"]
