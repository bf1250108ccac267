import { formatEther } from "viem";
import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Hash } from "../../ui/Hash";
import { useAccount, useNativeBalance, useTokens, useWallet } from "../account";
import { useSession } from "../actions";
import { WalletError } from "../messages";
import { DripButton, WalletNotice } from "../notices";

/** The connected account: what it holds, on which network, and the way out. */
export function AccountDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const account = useAccount();
  const { disconnect } = useWallet();
  const { session, signOut } = useSession();
  if (account.status !== "connected") return null;
  const leave = () => {
    onClose();
    disconnect();
  };
  return (
    <Dialog title="Your account" isOpen={isOpen} onClose={onClose}>
      <dl className="facts">
        <dt>Account</dt>
        <dd>
          <Hash value={account.address} name="address" />
        </dd>
        <dt>Wallet</dt>
        <dd>{account.wallet}</dd>
        <dt>Network</dt>
        <dd>Chain {account.chainId}</dd>
        <Holdings />
      </dl>
      {account.rightNetwork ? <DripButton /> : <WalletNotice error={new WalletError("wrong-network")} />}
      <div className="row">
        <Button onPress={leave}>Disconnect</Button>
        {session ? <Button onPress={() => void signOut()}>Sign out of the market</Button> : null}
      </div>
    </Dialog>
  );
}

function Holdings() {
  const coin = useNativeBalance();
  const tokens = useTokens();
  const error = tokens.error ?? coin.error;
  return (
    <>
      <dt>Coin for fees</dt>
      <dd className="number">{coin.data === undefined ? "…" : `${Number(formatEther(coin.data)).toFixed(4)} ETH`}</dd>
      <dt>In the wallet</dt>
      <dd>{tokens.data ? <Amount wei={tokens.data.wallet} /> : "…"}</dd>
      <dt>Deposited</dt>
      <dd>{tokens.data ? <Amount wei={tokens.data.escrow} /> : "…"}</dd>
      {error ? (
        <>
          <dt>Not read</dt>
          <dd>
            <WalletNotice error={error} onRetry={() => void Promise.all([coin.refetch(), tokens.refetch()])} />
          </dd>
        </>
      ) : null}
    </>
  );
}
