"""Settings of the market service, read once from the environment."""

import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chain.fees import USUAL_FEES
from protocol.encoding import from_hex
from protocol.signing import address_of

MEBIBYTE = 1 << 20
MONTH_SECONDS = 30 * 86_400


class SettingsRefused(ValueError):
    """The service does not start on these settings."""


class Settings(BaseSettings):
    """One object for every process of the market; each key is the environment variable MARKET_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="MARKET_", extra="ignore", frozen=True, populate_by_name=True)

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses weak set-ups"
    )
    database_url: str = Field(description="PostgreSQL, as postgresql:// or postgresql+psycopg://")
    redis_url: str = Field(description="Valkey or Redis: wakes pollers, holds rate limits, is Celery's broker")
    rpc_url: str = Field("", description="JSON-RPC of the chain; several URLs with commas between them")
    deployment: Path | None = Field(
        None, validation_alias="MULTITUDE_DEPLOYMENT", description="file of the deployed contracts"
    )
    blobs_url: str = Field(description="fsspec URL of the folder that holds blobs")
    settler_key_file: Path = Field(description="the settler's private key in hex, readable by its owner alone")
    public_url: str = Field("http://127.0.0.1:8000", description="where devices and buyers reach the API")
    public_rpc_url: str = Field("", description="JSON-RPC that the web app reads the chain from")

    blob_max_bytes: PositiveInt = Field(64 * MEBIBYTE, description="largest blob")
    open_blob_max_bytes: PositiveInt = Field(MEBIBYTE, description="largest blob without a session")
    upload_keep_seconds: PositiveInt = Field(86_400, description="how long an upload stays that nothing refers to")
    uploads_caller_max_bytes: PositiveInt = Field(
        2048 * MEBIBYTE, description="most bytes of such uploads from one address"
    )
    uploads_max_bytes: PositiveInt = Field(32_768 * MEBIBYTE, description="most bytes of such uploads in all")
    disk_free_min_bytes: PositiveInt = Field(1024 * MEBIBYTE, description="uploads stop before the disk has less")
    connections_max: PositiveInt = Field(4096, description="most open connections of a process")
    connections_caller_max: PositiveInt = Field(512, description="most open connections of one address")
    body_max_bytes: PositiveInt = Field(8 * MEBIBYTE, description="largest request body that is no blob")
    max_tasks: PositiveInt = Field(1_000_000, description="most tasks of one job")
    session_seconds: PositiveInt = Field(900, description="life of a device's session")
    person_session_seconds: PositiveInt = Field(86_400, description="life of a person's sign-in")
    challenge_seconds: PositiveInt = Field(300, description="time to sign what a sign-in asks for")
    poll_max_seconds: PositiveInt = Field(25, description="longest long poll")
    poll_step_seconds: PositiveFloat = Field(
        1.0, description="a waiting poll looks again after this even when not woken"
    )
    max_share_ppm: int = Field(
        500_000, ge=1, le=1_000_000, description="most of a job's spans for one device and period"
    )
    lease_spans_max: int = Field(16, ge=1, le=256, description="most spans of a lease")
    lease_renewals: PositiveInt = Field(6, description="a lease ends for good after this many lease times")
    rate_factor: PositiveInt = Field(
        1, description="multiplies every rate limit (a local network has one address for all)"
    )
    matching_tick_seconds: PositiveFloat = Field(0.5, description="how often Celery matches")
    chain_tick_seconds: PositiveFloat = Field(0.5, description="how often Celery reads the chain")
    webhooks_per_person: PositiveInt = Field(20, description="most webhooks of one person")
    webhook_loopback: bool = Field(
        False, description="development only: webhooks may name this machine, over plain http too"
    )
    idempotency_seconds: PositiveInt = Field(86_400, description="how long an Idempotency-Key is remembered")
    events_kept_seconds: PositiveInt = Field(MONTH_SECONDS, description="how long events outlive their job")
    deliveries_kept_seconds: PositiveInt = Field(MONTH_SECONDS, description="how long ended deliveries are listed")
    blobs_kept_seconds: PositiveInt = Field(
        MONTH_SECONDS, description="how long blobs outlive the last job that needs them"
    )
    confirmations: int = Field(2, ge=0, description="blocks before an event counts")
    fee_ceiling_wei_per_gas: PositiveInt = Field(USUAL_FEES.ceiling, description="most that a transaction offers")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.database_url.startswith(("postgresql://", "postgresql+psycopg://")):
            raise SettingsRefused("MARKET_DATABASE_URL names PostgreSQL and nothing else")
        if self.webhook_loopback and self.environment == "production":
            raise SettingsRefused("MARKET_WEBHOOK_LOOPBACK is for development")
        url = urlsplit(self.public_url)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise SettingsRefused("MARKET_PUBLIC_URL is https, plain http only on loopback")
        _check_public_rpc(self.public_rpc_url)
        return self

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL with its driver named."""
        return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)


def _check_public_rpc(address: str) -> None:
    """It stands in a header and in every page: an origin that cannot say more than it should, without credentials."""
    url = urlsplit(address)
    loopback = url.hostname in ("127.0.0.1", "localhost", "::1")
    if address and (
        not (url.scheme == "https" or (url.scheme == "http" and loopback)) or not url.hostname or url.username
    ):
        raise SettingsRefused("MARKET_PUBLIC_RPC_URL is https, plain http only on loopback, and names no user")
    if set(url.netloc) & set(" ;,'\""):
        raise SettingsRefused("MARKET_PUBLIC_RPC_URL has no blanks, quotes, commas or semicolons in its host")


@lru_cache(maxsize=1)
def load() -> Settings:
    """The settings of this process; pydantic's ValidationError names what is missing or refused."""
    return Settings()


class SettlerKey:
    """The settler's key, which never appears in a representation."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.address = address_of(key)

    def __repr__(self) -> str:
        return f"SettlerKey({self.address})"

    @classmethod
    def read(cls, path: Path, *, strict: bool) -> "SettlerKey":
        """The key of a file; SettingsRefused if it is no key, or (strict) readable by others than its owner."""
        if strict and stat.S_IMODE(os.stat(path).st_mode) & 0o077:  # noqa: PTH116
            raise SettingsRefused(f"{path.name} is readable by others: its mode must be 0600")
        text = path.read_text().strip()
        return cls(from_hex(text if text.startswith("0x") else "0x" + text, 32, "settler key"))
