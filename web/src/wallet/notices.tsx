import { useState } from "react";
import { Button } from "../ui/Button";
import { Hash } from "../ui/Hash";
import { Notice } from "../ui/Notice";
import { type Action, useDrip, useSession } from "./actions";
import { useAccount, useWallet } from "./account";
import { type WalletError, walletMessage, type WalletMessage, type WayOut } from "./messages";
import type { Account } from "./store";

const CALM: readonly string[] = ["not-connected", "wrong-network", "rejected", "busy", "market-behind", "unsure"];

/** An error of a wallet, the chain or the market in words, with the button that helps. */
export function WalletNotice({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const message = walletMessage(error);
  return (
    <Notice tone={CALM.includes(message.problem) ? "warn" : "bad"} title={message.title}>
      <p>{message.text}</p>
      <WayOutButton message={message} onRetry={onRetry} />
    </Notice>
  );
}

function WayOutButton({ message, onRetry }: { message: WalletMessage; onRetry?: (() => void) | undefined }) {
  const { openConnect } = useWallet();
  const account = useAccount();
  switch (wayOutFor(message.action, account)) {
    case "connect":
      return <Button onPress={openConnect}>Connect a wallet</Button>;
    case "switch-network":
      return <SwitchButton />;
    case "sign-in":
      return <SignInButton />;
    case "get-tokens":
      return <DripButton />;
    case "retry":
      return onRetry ? <Button onPress={onRetry}>Try again</Button> : null;
    default:
      return null;
  }
}

/** The way out that helps as things stand: who is connected again, or on the right network again, just tries again. */
export function wayOutFor(action: WayOut, account: Account): WayOut {
  if (action === "connect" && account.status === "connected") return "retry";
  if (action === "switch-network" && account.rightNetwork) return "retry";
  return action;
}

function SwitchButton() {
  const { switchNetwork } = useWallet();
  const [asking, setAsking] = useState(false);
  const [failure, setFailure] = useState<WalletError | null>(null);
  const ask = async () => {
    setAsking(true);
    setFailure(await switchNetwork());
    setAsking(false);
  };
  const said = failure ? walletMessage(failure) : null;
  return (
    <>
      <Button busy={asking} onPress={() => void ask()}>
        Switch network
      </Button>
      <p>{said ? `${said.title}. ${said.text}` : asking ? "Confirm in your wallet." : null}</p>
    </>
  );
}

function SignInButton() {
  const { signIn } = useSession();
  return (
    <>
      <Button busy={signIn.busy} onPress={() => void signIn.run()}>
        Sign in again
      </Button>
      <ActionNotice action={signIn} />
    </>
  );
}

/** Takes tokens from the test network's faucet; nothing where the network has none. */
export function DripButton() {
  const drip = useDrip();
  if (!drip.available) return null;
  return (
    <>
      <Button busy={drip.busy} onPress={() => void drip.run()}>
        Get test tokens
      </Button>
      <ActionNotice action={drip} />
    </>
  );
}

/** What an action is doing, or why it failed. Nothing while it is idle or done. */
export function ActionNotice<Args extends unknown[], Result>({
  action: { state },
  onRetry,
}: {
  action: Pick<Action<Args, Result>, "state">;
  onRetry?: () => void;
}) {
  return (
    <>
      <div role="status" className="soft">
        {state.step === "asking" ? `${state.what}: confirm in your wallet.` : null}
        {state.step === "sent" ? (
          <>
            {state.what}: sent, {state.confirmations} of {state.needed} confirmations.{" "}
            <Hash value={state.hash} name="transaction's hash" />
          </>
        ) : null}
      </div>
      {state.step === "failed" ? <WalletNotice error={state.error} onRetry={onRetry} /> : null}
    </>
  );
}
