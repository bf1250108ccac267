import { type Connector, useConnect, useConnectors } from "wagmi";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { WalletError } from "../messages";
import { WalletNotice } from "../notices";

/** The wallets that announced themselves (EIP-6963); nothing is asked of anybody else. */
export function ConnectDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const connectors = useConnectors().filter(({ id }) => id !== "injected");
  const { mutate: connect, reset, error, isPending, variables } = useConnect();
  const close = () => {
    reset();
    onClose();
  };
  const asked = isPending ? variables?.connector : undefined;
  return (
    <Dialog title="Connect a wallet" isOpen={isOpen} onClose={close}>
      {connectors.length === 0 ? (
        <NoWallet />
      ) : (
        <ul className="wallet-list stack-tight">
          {connectors.map((connector) => (
            <li key={connector.uid}>
              <Button
                busy={asked === connector}
                isDisabled={isPending && asked !== connector}
                onPress={() => connect({ connector }, { onSuccess: close })}
              >
                <Icon connector={connector} />
                {connector.name}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <div role="status" className="soft">
        {asked ? `Confirm in ${nameOf(asked)}.` : null}
      </div>
      {error ? <WalletNotice error={error} /> : null}
      <p className="small soft">
        The market never sees your keys: your wallet shows you whatever it signs. Accounts and what they do are public.
      </p>
    </Dialog>
  );
}

function NoWallet() {
  return (
    <>
      <WalletNotice error={new WalletError("no-wallet")} />
      <Button onPress={() => location.reload()}>I have installed one: load the page again</Button>
    </>
  );
}

const nameOf = (connector: unknown): string => (connector as Partial<Connector>).name ?? "your wallet";

function Icon({ connector: { icon } }: { connector: Connector }) {
  // EIP-6963 icons are data: addresses; nothing else is loaded.
  return icon?.startsWith("data:") ? <img className="wallet-icon" src={icon} alt="" /> : null;
}
