import { use } from "react";
import { WagmiContext } from "wagmi";
import { ApprovalDialog } from "../development/ApprovalDialog";
import type { Network } from "../../network/network";
import type { Engine } from "../engine";
import type { WalletStore } from "../store";
import { useSnapshot } from "../WalletProvider";
import { AccountDialog } from "./AccountDialog";
import { ConnectDialog } from "./ConnectDialog";
import { startOnce } from "./start";

/** The heavy part in the page: wagmi and the dialogs over it. */
export function WalletEngine({ network, store }: { network: Network; store: WalletStore<Engine> }) {
  const { config, approvals } = use(startOnce(network, store));
  const { choosing, account } = useSnapshot();
  const close = () => store.closeChoice();
  const connected = account.status === "connected";
  return (
    <WagmiContext value={config}>
      <ConnectDialog isOpen={choosing && !connected} onClose={close} />
      <AccountDialog isOpen={choosing && connected} onClose={close} />
      {approvals ? <ApprovalDialog approvals={approvals} /> : null}
    </WagmiContext>
  );
}
