import { Button } from "../ui/Button";
import { useAccount, useWallet } from "./account";
import { useSnapshot } from "./WalletProvider";

/** "0x1234…cdef". */
export const shortAddress = (address: string): string => `${address.slice(0, 6)}…${address.slice(-4)}`;

/** The header's button: connects a wallet, or shows the connected account. */
export function ConnectButton() {
  const { openConnect } = useWallet();
  const { choosing } = useSnapshot();
  const account = useAccount();
  if (account.status === "connected") {
    const shown = account.rightNetwork ? shortAddress(account.address) : "Wrong network";
    return (
      <Button onPress={openConnect} aria-label={`${shown}. Account ${account.address}`}>
        <span className="wallet-button-dot" data-wrong={account.rightNetwork ? undefined : ""} aria-hidden="true" />
        {shown}
      </Button>
    );
  }
  return (
    <Button kind="primary" onPress={openConnect} busy={account.status === "connecting" && !choosing}>
      Connect
    </Button>
  );
}
