"""A seed that nobody fetched in time for `blockhash`: EIP-2935 holds its block for 8,191 blocks."""

from __future__ import annotations

from typing import Any

import brownie

from tests.contracts.actors import Epoch
from tests.contracts.chain import mine, reverts, rpc
from tests.contracts.verdict_stories import POSTED, SEEDED, state
from tests.contracts.world import PARAMETERS

pytest_plugins = ("tests.contracts.stories", "tests.contracts.verdict_stories")

LATE_BLOCKS = 280
HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"


def test_drawSeed_later_than_256_blocks_is_that_of_its_round(market: Any, epoch: Epoch) -> None:
    mine(PARAMETERS.beacon_delay_blocks + 1)
    ahead, round_ = epoch.seed_ahead(), market.world.beacon.nextRound() - PARAMETERS.beacon_delay_blocks
    mine(LATE_BLOCKS)
    assert brownie.web3.eth.block_number > round_ + 256
    assert state(epoch) == POSTED
    market.world.attestations.drawSeed(epoch.id, {"from": market.stranger})
    assert state(epoch) == SEEDED
    assert epoch.seed == ahead != bytes(32)


def test_drawSeed_that_history_has_lost_reverts(market: Any, epoch: Epoch) -> None:
    mine(LATE_BLOCKS)
    rpc("anvil_setCode", HISTORY, "0x")
    with reverts("Attestations_SeedMissing"):
        market.world.attestations.drawSeed(epoch.id, {"from": market.stranger})
