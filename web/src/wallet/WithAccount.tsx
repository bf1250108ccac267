import type { ReactNode } from "react";
import type { Address } from "viem";
import { Button } from "../ui/Button";
import { Notice } from "../ui/Notice";
import { Spinner } from "../ui/Spinner";
import { useAccount, useWallet } from "./account";
import { WalletError } from "./messages";
import { WalletNotice } from "./notices";

/** Shows its children to a connected account on the market's network, to everybody else what is missing. */
export function WithAccount({ why, children }: { why: string; children: (address: Address) => ReactNode }) {
  const account = useAccount();
  const { openConnect } = useWallet();
  if (account.status === "connecting") return <Spinner label="Looking for your wallet" />;
  if (account.status === "disconnected") {
    return (
      <Notice title={`Connect a wallet ${why}`}>
        <Button kind="primary" onPress={openConnect}>
          Connect a wallet
        </Button>
      </Notice>
    );
  }
  return account.rightNetwork ? children(account.address) : <WalletNotice error={new WalletError("wrong-network")} />;
}
