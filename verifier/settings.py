"""Settings of a verifier, read once from the environment (prefix VERIFIER_)."""

from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chain.fees import USUAL_FEES
from protocol.signing import address_of
from verifier.errors import SettingsInvalid

_KEY_BYTES = 32


class Settings(BaseSettings):
    """Every key is an environment variable VERIFIER_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="VERIFIER_", frozen=True)

    database_url: str = Field(description="The verifier's own PostgreSQL database (SQLAlchemy URL).")
    redis_url: str = Field(description="The verifier's own Celery broker.")
    rpc_url: str = Field(description="JSON-RPC of the chain; several URLs with commas between them.")
    blobs_url: str = Field(description="Base URL that serves blobs as BASE/0x<keccak256>.")
    key_file: Path = Field(description="File with the hex private key that holds the seats; mode 0600.")
    deployment: Path = Field(description="The deployment's addresses file.")
    state_dir: Path = Field(description="Folder for cached blobs.")
    poll_s: float = Field(0.5, gt=0, description="Seconds between two looks at the chain.")
    confirmations: int = Field(2, ge=0, description="Blocks until a transaction counts as settled.")
    fee_ceiling_wei_per_gas: int = Field(USUAL_FEES.ceiling, gt=0, description="Most that a transaction offers.")
    replay_chunk: int = Field(16, ge=1, le=256, description="Tasks in one message of the replay queue.")
    task_wall_s: float = Field(60.0, gt=0, description="Wall seconds that one replayed task may take.")
    max_blob_bytes: int = Field(256 << 20, gt=0, description="Largest blob that is fetched.")

    @model_validator(mode="before")
    @classmethod
    def _shared_deployment(cls, values: dict[str, object]) -> dict[str, object]:
        import os

        if "deployment" not in values and "MULTITUDE_DEPLOYMENT" in os.environ:
            values = {**values, "deployment": os.environ["MULTITUDE_DEPLOYMENT"]}
        return values

    @cached_property
    def key(self) -> bytes:
        """The verifier's private key. SettingsInvalid where others can read the file or it holds no key."""
        try:
            if self.key_file.stat().st_mode & 0o077:
                raise SettingsInvalid(f"{self.key_file} can be read by others: chmod 600 it")
            key = bytes.fromhex(self.key_file.read_text().strip().removeprefix("0x"))
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"no key in {self.key_file}: {error}") from error
        if len(key) != _KEY_BYTES:
            raise SettingsInvalid(f"{self.key_file} holds {len(key)} bytes, not {_KEY_BYTES}")
        return key

    @cached_property
    def address(self) -> str:
        """The verifier's address."""
        return address_of(self.key)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings."""
    return Settings()
