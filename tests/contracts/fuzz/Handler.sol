// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BallotOutcome, EpochState} from "../../../contracts/interfaces/IAttestations.sol";
import {GameState} from "../../../contracts/interfaces/IDisputeGame.sol";
import {Entry} from "../../../contracts/interfaces/IEpochLedger.sol";
import {JobPhase} from "../../../contracts/interfaces/IJobEscrow.sol";
import {Bid} from "../../../contracts/interfaces/IMessages.sol";
import {Actors} from "./Actors.sol";
import {VM} from "./Vm.sol";

/// @notice What the fuzzer calls, in any order and with any numbers. A call that the contracts refuse reverts and changes nothing.
/// @dev `broken` names the first rule that a call broke which the contracts let through.
contract Handler is Actors {
    uint64 private constant MAX_EPOCHS = 12; // of a run
    uint256 private constant MAX_JOBS = 4;
    uint256 private constant MAX_GAMES = 8;

    string public broken;
    mapping(string action => uint256) public done;
    mapping(uint256 device => bool) internal convicted;

    constructor() {
        _createWorld();
        _openOne(0, 0, 0);
    }

    modifier counted(string memory action) {
        _pass(1);
        _;
        ++done[action];
    }

    function _need(bool holds, string memory rule) private {
        if (!holds && bytes(broken).length == 0) broken = rule;
    }

    // --- time

    function wait(uint256 time) external counted("wait") {
        _pass(time % 40);
    }

    // --- buyers

    function openJob(uint256 buyer, uint256 settler, uint256 budget) external counted("openJob") {
        VM.assume(jobs.length < MAX_JOBS);
        _openOne(buyer % 2, settler % 4, budget);
    }

    /// @dev Settler 3 is none: then the opener is it.
    function _openOne(uint256 buyer, uint256 settler, uint256 budget) private {
        address named = settler == 3 ? address(0) : _who(settlers[settler]);
        uint128 wei_ = uint128(5 * P + budget % (60 * P));
        Bid memory bid = _bid(buyers[buyer], named, wei_, uint40(VM.getBlockTimestamp()) + 3_000, jobs.length);
        _job(bid, buyers[buyer], _who(settlers[1]));
    }

    function cancelJob(uint256 job) external counted("cancelJob") {
        VM.assume(job % 8 == 0); // else most jobs would be over before anything happens
        bytes32 jobId = jobs[(job >> 3) % jobs.length];
        _as(bidOf[jobId].buyer, address(escrow), abi.encodeCall(escrow.cancelJob, (jobId)));
    }

    function closeJob(uint256 job) public counted("closeJob") {
        bytes32 jobId = jobs[job % jobs.length];
        uint128 available = escrow.jobOf(jobId).available;
        escrow.closeJob(jobId, bidOf[jobId]);
        if (escrow.jobOf(jobId).phase == JobPhase.Closed) refunded[jobId] = available;
    }

    function depositOrWithdraw(uint256 buyer, uint256 amount, bool back) external counted("depositOrWithdraw") {
        address who = _who(buyers[buyer % 2]);
        uint128 wei_ = uint128(amount % (300 * P));
        _as(who, address(escrow), back ? abi.encodeCall(escrow.withdraw, (wei_)) : abi.encodeCall(escrow.deposit, (wei_)));
    }

    // --- settlers

    /// @dev `shape` says how many entries and leaves, who worked on which spans, who lied, and what is nonsense.
    function post(uint256 settler, uint256 job, uint256 shape) public counted("post") {
        VM.assume(ledger.epochCount() < MAX_EPOCHS);
        uint256 number = 1 + (shape & 1) * (jobs.length > 1 ? 1 : 0);
        Entry[] memory entries = new Entry[](number);
        Leaf[] memory leaves = new Leaf[](2 * number);
        uint32 total;
        for (uint32 i; i < number; ++i) {
            bytes32 jobId = jobs[(job % jobs.length + i) % jobs.length];
            uint256 bits = uint256(keccak256(abi.encode(shape, i)));
            Leaf[] memory own = new Leaf[](1 + (bits & 1));
            for (uint32 j; j < own.length; ++j) own[j] = _leaf(_order(jobId, bits >> (16 * (j + 1))), i, total + j);
            entries[i] = _entry(own);
            if (bits >> 252 == 0) entries[i] = Entry(jobId, bytes32(bits), own.length == 1 ? 1 : 2, uint128(bits % (5 * P)));
            for (uint256 j; j < own.length; ++j) leaves[total++] = own[j];
        }
        assembly ("memory-safe") {
            mstore(leaves, total) // at most what was allocated
        }
        _post(_poster(settler, entries[0].jobId), entries, leaves);
    }

    /// @dev Mostly the job's own settler.
    function _poster(uint256 pick, bytes32 jobId) private view returns (uint256) {
        for (uint256 i; i < 3 && pick & 12 != 0; ++i) {
            if (_who(settlers[i]) == escrow.jobOf(jobId).settler) return settlers[i];
        }
        return settlers[pick % 3];
    }

    /// @dev Devices 0 to 2 lie in every other leaf; a sixteenth of the receipts is too old.
    function _order(bytes32 jobId, uint256 bits) private view returns (Order memory) {
        uint32 device = uint32(bits % 5);
        uint256 spans = (uint256(1) << ((bits >> 3) % TASKS)) | (uint256(1) << ((bits >> 7) % TASKS));
        bool late = (bits >> 11) & 15 == 0;
        uint256 now_ = VM.getBlockTimestamp();
        return Order(jobId, device, spans, device < 3 && (bits >> 15) & 1 == 1, uint40(late ? now_ - 1 : now_ + 2_000));
    }

    function bond(uint256 settler, uint256 amount, uint256 what) external counted("bond") {
        address who = _who(settlers[settler % 3]);
        uint128 wei_ = uint128(amount % (2_000 * P));
        bytes memory data = what % 3 == 0
            ? abi.encodeCall(seats.depositBond, (wei_, uint24(amount % 30_001)))
            : what % 3 == 1 ? abi.encodeCall(seats.requestBondBack, (wei_)) : abi.encodeCall(seats.withdrawBond, ());
        _as(who, address(seats), data);
    }

    // --- verdicts

    function drawSeed(uint256 epoch) external counted("drawSeed") {
        _seed(_epoch(epoch));
    }

    function commit(uint256 epoch, uint256 verifier, uint256 opinion) external counted("commit") {
        _commit(_epoch(epoch), verifiers[verifier % 4], opinion % 5);
    }

    function reveal(uint256 epoch, uint256 verifier) external counted("reveal") {
        _reveal(_epoch(epoch), verifiers[verifier % 4]);
    }

    /// @dev Takes an epoch from its posting to its window; each verifier does as four bits of `moods` say, mostly its duty.
    function attest(uint256 epoch, uint256 moods) public counted("attest") {
        uint64 id = _epoch(epoch);
        _seed(id);
        for (uint256 i; i < 4; ++i) {
            uint256 mood = (moods >> (4 * i)) & 15;
            if (mood != 15 && _isSeated(id, i)) _commit(id, verifiers[i], mood < 10 ? 0 : mood < 12 ? 1 : mood - 10);
        }
        if (attestations.stateOf(id) != EpochState.Revealing) _pass(30);
        for (uint256 i; i < 4; ++i) {
            bool committed = opinionOf[id][_who(verifiers[i])].digests.length != 0;
            if (committed && (moods >> (16 + 3 * i)) & 7 != 0) _reveal(id, verifiers[i]);
        }
        if (attestations.stateOf(id) == EpochState.Revealing) _pass(30);
    }

    function _isSeated(uint64 epochId, uint256 verifier) private view returns (bool) {
        return seats.seatsOf(attestations.clockOf(epochId).snapshot, _who(verifiers[verifier])) != 0;
    }

    function redraw(uint256 epoch, uint256 leaf, uint256 moods) public counted("redraw") {
        uint64 id = _epoch(epoch);
        Leaf memory it = _leafOf(id, leaf);
        attestations.redraw(_ref(id, it), _verdicts(id));
        _voteAll(id, it, moods);
    }

    function settleRedraw(uint256 epoch, uint256 leaf, uint256 moods) public counted("settleRedraw") {
        uint64 id = _epoch(epoch);
        uint256 number = leaf % leavesOf[id].length;
        Leaf memory it = leavesOf[id][number];
        _pass(61);
        attestations.settleRedraw(_ref(id, it));
        (uint8 round,, BallotOutcome outcome) = attestations.redrawOf(id, it.leafHash);
        if (outcome == BallotOutcome.Pending) _voteAll(id, it, moods);
        else if (outcome != BallotOutcome.Right && it.fate == LeafFate.Open) leavesOf[id][number].fate = LeafFate.Voided;
        _need(round <= 2, "two redraws at most");
    }

    /// @dev The redraw's seats vote: two bits of `moods` each; 0 and 1 are honest, 2 says unavailable, 3 nothing.
    function _voteAll(uint64 epochId, Leaf memory leaf, uint256 moods) private {
        VM.roll(VM.getBlockNumber() + 4);
        (, bytes32 subject,) = attestations.redrawOf(epochId, leaf.leafHash);
        uint8 honest = _seenWrong(epochId, leaf) ? 2 : 1;
        bool[4] memory voted;
        for (uint256 i; i < 4; ++i) {
            uint256 mood = (moods >> (2 * i)) & 3;
            if (mood != 3) voted[i] = _voteOnRedraw(subject, verifiers[i], mood == 2 ? 3 : honest);
        }
        _pass(30);
        for (uint256 i; i < 4; ++i) {
            uint8 vote = (moods >> (2 * i)) & 3 == 2 ? 3 : honest;
            bytes memory data = abi.encodeCall(attestations.revealBallot, (subject, bytes32(verifiers[i]), vote));
            if (voted[i]) _try(_who(verifiers[i]), address(attestations), data);
        }
    }

    // --- disputes

    /// @dev Opener 4 is a stranger with native coin; a verifier offers its seat first.
    function challenge(uint256 epoch, uint256 leaf, uint256 task, uint256 opener) public counted("challenge") {
        VM.assume(games.length < MAX_GAMES);
        uint64 id = _epoch(epoch);
        Leaf memory it = _leafOf(id, leaf);
        uint32 position = uint32(task % it.receipt.count);
        bool stranger = opener % 5 == 4;
        _challenge(id, it, position, stranger ? STRANGER : _who(verifiers[opener % 5]), stranger || opener & 64 == 0 ? CHALLENGE_BOND : 0);
    }

    /// @dev The panel votes; moods as in a redraw. Honest seats judge by the task, drawn or not.
    function judge(uint256 game, uint256 moods) public counted("judge") {
        GameRecord memory it = _game(game);
        VM.roll(VM.getBlockNumber() + 4);
        bytes32[4] memory votes;
        for (uint256 i; i < 4; ++i) {
            if ((moods >> (2 * i)) & 3 == 3) continue;
            uint8 vote = _verdictOn(it, (moods >> (2 * i)) & 3);
            if (_vote(it.id, verifiers[i], vote)) votes[i] = bytes32(uint256(vote));
        }
        if (panel.stateOf(it.id) == GameState.Committing) _pass(30);
        for (uint256 i; i < 4; ++i) {
            if (votes[i] == 0) continue;
            bytes memory data = abi.encodeCall(panel.revealVote, (it.id, bytes32(verifiers[i]), uint8(uint256(votes[i]))));
            _try(_who(verifiers[i]), address(panel), data);
        }
    }

    function _verdictOn(GameRecord memory game, uint256 mood) private view returns (uint8) {
        if (mood == 2) return 3;
        return leavesOf[game.epochId][game.leaf].wrong && game.task == 0 ? 2 : 1;
    }

    function appeal(uint256 game) public counted("appeal") {
        uint256 i = game % games.length;
        _pay(STRANGER, 2 * CHALLENGE_BOND, address(panel), abi.encodeCall(panel.appeal, (games[i].id)));
        games[i].bonds += 2 * CHALLENGE_BOND;
    }

    function resolve(uint256 game, uint256 time) public counted("resolve") {
        GameRecord memory it = _game(game);
        _pass(time % 120);
        Leaf memory leaf = leavesOf[it.epochId][it.leaf];
        uint256 supply = token.totalSupply();
        uint256 held = _stakeOf(leaf.device);
        panel.resolve(it.id);
        games[game % games.length].resolved = true;
        if (panel.stateOf(it.id) != GameState.Upheld) return;
        _need(!convicted[leaf.device], "a device is convicted once");
        _need(leaf.wrong && it.task == 0, "an honest result is not convicted"); // these panels never say "wrong" of one
        convicted[leaf.device] = true;
        _need(_stakeOf(leaf.device) == 0, "a conviction takes the whole stake");
        _need(4 * (supply - token.totalSupply()) >= 3 * held, "three quarters of a slash burn");
    }

    function _stakeOf(uint256 device) private view returns (uint256) {
        return uint256(vault.deviceOf(_who(devices[device])).stake) + vault.deviceOf(_who(devices[device])).unbonding;
    }

    function slashAttestor(uint256 game, uint256 verifier) public counted("slashAttestor") {
        GameRecord memory it = _game(game);
        address who = _who(verifiers[verifier % 4]);
        _slashAttestor(it, who);
        _need(_seenWrong(it.epochId, leavesOf[it.epochId][it.leaf]), "no seat is slashed for what it had not to replay");
        _need((opinionOf[it.epochId][who].verdicts >> (2 * it.leaf)) & 3 == 1, "only who said right is slashed for that");
    }

    function withdrawNative(uint256 who) external counted("withdrawNative") {
        panel.withdraw(who % 5 == 4 ? STRANGER : _who(verifiers[who % 5]));
    }

    // --- settling

    function claim(uint256 epoch, uint256 entry, uint256 which) public counted("claim") {
        uint64 id = _epoch(epoch);
        if (attestations.stateOf(id) == EpochState.Window) _pass(60);
        Entry[] memory entries = _head(id).entries;
        uint32 index = uint32(entry % entries.length);
        Leaf[] memory chosen = _choose(id, index, which);
        VM.assume(chosen.length != 0);
        for (uint256 i; i < chosen.length; ++i) _mayBePaid(id, chosen[i]);
        uint256 left = token.balanceOf(address(escrow)) - _credited();
        bytes32 jobId = entries[index].jobId;
        ledger.claim(id, _head(id), index, bidOf[jobId], _claimOf(id, chosen), _verdicts(id));
        spentOn[jobId] += uint128(left - (token.balanceOf(address(escrow)) - _credited()));
        for (uint256 i; i < chosen.length; ++i) {
            _need(paidSpans[jobId] & chosen[i].spans == 0, "a span is paid once");
            paidSpans[jobId] |= chosen[i].spans;
            leavesOf[id][chosen[i].number].fate = LeafFate.Claimed;
        }
    }

    /// @dev The rules of who is paid, worked out apart from the contracts. A broken rule counts only if the claim goes through.
    function _mayBePaid(uint64 epochId, Leaf memory leaf) private {
        _need(leaf.fate == LeafFate.Open, "a leaf that was claimed, voided or returned is not paid");
        _need(!convicted[leaf.device], "a convicted device is not paid");
        _need(leaf.device != 4, "an unbound device is not paid");
        _need(_head(epochId).postedAt <= leaf.receipt.postBy, "a receipt posted late is not paid");
        for (uint256 i; i < games.length; ++i) {
            bool same = leavesOf[games[i].epochId][games[i].leaf].device == leaf.device;
            _need(games[i].resolved || !same, "an accused device is not paid before its games are over");
        }
        (uint8 round,, BallotOutcome outcome) = attestations.redrawOf(epochId, leaf.leafHash);
        if (round != 0) {
            _need(outcome == BallotOutcome.Right, "after a redraw a leaf is paid when its majority found it right");
            return;
        }
        address[] memory drawn = attestations.drawnSeats(epochId, leaf.leafHash, _who(owners[leaf.device]));
        _need(drawn.length != 0, "a leaf without seats is not paid");
        for (uint256 i; i < drawn.length; ++i) {
            Opinion storage opinion = opinionOf[epochId][drawn[i]];
            _need(opinion.revealed && (opinion.verdicts >> (2 * leaf.number)) & 3 == 1, "a leaf is paid when every drawn seat found it right");
        }
    }

    /// @dev One or both leaves of the entry.
    function _choose(uint64 epochId, uint32 entry, uint256 which) private view returns (Leaf[] memory chosen) {
        Leaf[] storage all = leavesOf[epochId];
        uint256 found;
        chosen = new Leaf[](2);
        for (uint256 i; i < all.length; ++i) {
            if (all[i].entryIndex == entry && (which % 3 == 2 || all[i].leafIndex == which % 3)) chosen[found++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(chosen, found) // at most 2
        }
    }

    function voidLeaf(uint256 epoch, uint256 leaf) public counted("voidLeaf") {
        uint64 id = _epoch(epoch);
        uint256 number = leaf % leavesOf[id].length;
        ledger.voidLeaf(_ref(id, leavesOf[id][number]));
        bool hung = (panel.voidedLeaves(id) >> number) & 1 == 1;
        _need(hung || convicted[leavesOf[id][number].device], "only a hung game or a conviction voids a leaf at once");
        leavesOf[id][number].fate = LeafFate.Voided;
    }

    function voidEpoch(uint256 epoch) public counted("voidEpoch") {
        uint64 id = _epoch(epoch);
        ledger.voidEpoch(id, _head(id));
        for (uint256 i; i < leavesOf[id].length; ++i) _return(leavesOf[id][i]);
    }

    function returnUnclaimed(uint256 epoch, uint256 entry) public counted("returnUnclaimed") {
        uint64 id = _epoch(epoch);
        uint32 index = uint32(entry % _head(id).entries.length);
        if (entry >> 253 == 0) _pass(CLAIM_TIME);
        ledger.returnUnclaimed(id, _head(id), index);
        for (uint256 i; i < leavesOf[id].length; ++i) {
            if (leavesOf[id][i].entryIndex == index) _return(leavesOf[id][i]);
        }
    }

    function _return(Leaf storage leaf) private {
        if (leaf.fate == LeafFate.Open) leaf.fate = LeafFate.Returned;
    }

    // --- stories

    /// @dev A whole epoch, and what mostly follows; each step may be refused without ending the story.
    function tell(uint256 settler, uint256 job, uint256 shape, uint256 moods, uint256 follows) external counted("tell") {
        if (!_step(abi.encodeCall(this.post, (settler, job, shape)))) return;
        if (!_step(abi.encodeCall(this.attest, (64, moods)))) return;
        uint256 game = games.length;
        for (uint256 i; i < leavesOf[ledger.epochCount()].length; ++i) {
            uint256 bits = follows >> (16 * i);
            if (bits & 3 < 2 && _step(abi.encodeCall(this.challenge, (64, i, bits >> 2, bits >> 4)))) {
                _step(abi.encodeCall(this.judge, (game, bits >> 8)));
                if (bits & 8192 == 0 && _step(abi.encodeCall(this.appeal, (game)))) _step(abi.encodeCall(this.judge, (game, bits >> 5)));
                if (bits & 192 != 0) _step(abi.encodeCall(this.resolve, (game, 119)));
                for (uint256 j; j < 4; ++j) _step(abi.encodeCall(this.slashAttestor, (game, j)));
                _step(abi.encodeCall(this.voidLeaf, (64, i)));
                ++game;
            }
            if (bits & 3 == 2 && _step(abi.encodeCall(this.redraw, (64, i, bits >> 8)))) {
                _step(abi.encodeCall(this.settleRedraw, (64, i, bits >> 4)));
            }
        }
        for (uint256 i; i < 2; ++i) _step(abi.encodeCall(this.claim, (64, i, follows >> 250)));
    }

    function _step(bytes memory data) private returns (bool ok) {
        (ok,) = address(this).call(data);
    }

    // --- stakes

    function stake(uint256 device, uint256 amount, uint256 what) external counted("stake") {
        address it = _who(devices[device % 4]);
        uint128 wei_ = uint128(amount % (50 * P));
        bytes memory data = what % 3 == 0
            ? abi.encodeCall(vault.stake, (it, wei_))
            : what % 3 == 1 ? abi.encodeCall(vault.requestUnstake, (it, wei_)) : abi.encodeCall(vault.withdrawStake, (it));
        _as(_who(owners[device % 4]), address(vault), data);
    }

    function seat(uint256 verifier, uint256 what) external counted("seat") {
        address who = _who(verifiers[verifier % 4]);
        address owner = verifier % 4 == 1 ? _who(owners[0]) : who;
        bytes memory data = what % 3 == 0
            ? abi.encodeCall(seats.join, (1, owner))
            : what % 3 == 1 ? abi.encodeCall(seats.leave, (1)) : abi.encodeCall(seats.withdrawSeatStake, ());
        _as(who, address(seats), data);
    }

    function withdrawEarned(uint256 who) external counted("withdrawEarned") {
        seats.withdrawEarned(_anyone(who));
    }

    function _anyone(uint256 who) private view returns (address) {
        uint256 i = who % 8;
        return i < 4 ? _who(verifiers[i]) : i < 7 ? _who(settlers[i - 4]) : STRANGER;
    }

    // --- which one

    function _epoch(uint256 pick) private view returns (uint64) {
        uint64 count = ledger.epochCount();
        VM.assume(count != 0);
        return pick & 64 == 0 ? uint64(1 + pick % count) : count; // the latest every other time
    }

    function _leafOf(uint64 epochId, uint256 pick) private view returns (Leaf memory) {
        return leavesOf[epochId][pick % leavesOf[epochId].length];
    }

    function _game(uint256 pick) private view returns (GameRecord memory) {
        VM.assume(games.length != 0);
        return games[pick % games.length];
    }
}
