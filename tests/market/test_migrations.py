"""Migrations that move data."""

from alembic import command
from eth_account import Account
from sqlalchemy import create_engine, text

from chain.fees import Fees
from chain.reorg import utc_now
from chain.sends import sends_of
from chain.transactions import Order, sign
from market.db import alembic_config

INSERT = text(
    'INSERT INTO outbox (purpose, ident, sender, contract, function, "to", data, value, state, attempts, attempts_max,'
    " nonce, raw, tx_hash) VALUES ('p', 'i', :sender, 'C', 'f', :to, '', 0, 'sent', 0, 1, 7, :raw, :tx_hash)"
)


def test_outbox_sends_keeps_the_transactions_that_were_signed_before(postgres_url: str) -> None:
    config, account = alembic_config(postgres_url), Account.from_key(b"\1" * 32)
    command.upgrade(config, "0003")
    send = sign(account, Order(5, account.address, b"\2", 3), 7, 21_000, Fees(11, 2), utc_now())
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        values = {"sender": account.address, "to": account.address, "raw": send.raw, "tx_hash": send.tx_hash}
        connection.execute(INSERT, values)
    command.upgrade(config, "0004")
    (found,) = sends_of(engine, 1, send.tx_hash)
    assert found._replace(sent_at=send.sent_at) == send
    command.downgrade(config, "0003")
    with engine.connect() as connection:
        assert bytes(connection.scalar(text("SELECT raw FROM outbox")) or b"") == send.raw
    engine.dispose()
