import type { ReactNode } from "react";
import type { Address } from "viem";
import { messageOf } from "../../api/problem";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { WalletNotice, WithAccount } from "../../wallet";
import { type OwnerView, useOwner } from "./useOwner";

/** Shows its children the connected owner's money and devices; before that, what is missing or went wrong. */
export function WithOwner({ children }: { children: (view: OwnerView) => ReactNode }) {
  return (
    <section className="stack" aria-label="Your money and devices">
      <WithAccount why="to see your money and your devices">
        {(owner) => (
          <Owned key={owner} owner={owner}>
            {children}
          </Owned>
        )}
      </WithAccount>
    </section>
  );
}

function Owned({ owner, children }: { owner: Address; children: (view: OwnerView) => ReactNode }) {
  const { view, error, marketError, isStale } = useOwner(owner);
  return (
    <>
      {error ? <WalletNotice error={error} /> : null}
      {marketError ? (
        <Notice tone="warn" title="The market does not tell about your devices">
          <p>
            {messageOf(marketError)}{" "}
            {isStale
              ? "Of work that is not claimed yet, what it said before is shown."
              : "What is shown is the chain's: work that is not claimed yet is missing from it."}
          </p>
        </Notice>
      ) : null}
      {view ? children(view) : error ? null : <Spinner label="Reading the chain" />}
    </>
  );
}
