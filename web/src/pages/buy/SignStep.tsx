import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { api, ok } from "../../api/client";
import { useChain } from "../../chain/client";
import { type Address, Bid, domainOf, type Hex, jobIdOf, toHex } from "../../protocol";
import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import {
  ActionNotice,
  DripButton,
  useDeposit,
  useSignTypedData,
  useTokens,
  WalletNotice,
  WithAccount,
} from "../../wallet";
import { bidOf } from "./bid";
import { BidFields } from "./BidFields";
import type { SignedBid } from "./draft";
import { budgetOf, capAt, missingDeposit, type Quote } from "./quote";
import type { Terms, UploadedInputs } from "./terms";

type Props = {
  program: Hex;
  programName: string;
  inputs: UploadedInputs;
  quote: Quote;
  terms: Terms;
  signed: SignedBid | null;
  onSigned: (signed: SignedBid) => void;
  onOpened: () => void;
};

/** Deposit what is missing, sign, submit. */
export function SignStep(props: Props) {
  return (
    <>
      <BidFields quote={props.quote} terms={props.terms} programName={props.programName} />
      <WithAccount why="to deposit and sign">{(address) => <Money {...props} buyer={address} />}</WithAccount>
    </>
  );
}

function Money(props: Props & { buyer: Address }) {
  const found = useTokens();
  const deposit = useDeposit();
  const budget = budgetOf(props.quote, props.terms);
  if (found.error) return <WalletNotice error={found.error} onRetry={() => void found.refetch()} />;
  if (!found.data) return <Spinner label="Reading your balance" />;
  const missing = missingDeposit(budget, found.data.escrow);
  return (
    <>
      <dl className="facts">
        <dt>Deposited in the escrow</dt>
        <dd>
          <Amount wei={found.data.escrow} />
        </dd>
        <dt>In your wallet</dt>
        <dd>
          <Amount wei={found.data.wallet} />
        </dd>
        <dt>This job locks</dt>
        <dd>
          <Amount wei={budget} />
        </dd>
      </dl>
      {missing > found.data.wallet ? <TooFew missing={missing - found.data.wallet} /> : null}
      {missing > 0n ? (
        <div className="stack-tight">
          <div>
            <Button
              kind="primary"
              busy={deposit.busy}
              isDisabled={missing > found.data.wallet}
              onPress={() => void deposit.run(missing)}
            >
              Deposit the missing <Amount wei={missing} />
            </Button>
          </div>
          <p className="small soft">
            One transaction: a permit is signed first. What no job locks can be withdrawn at any time.
          </p>
        </div>
      ) : (
        <SignAndSubmit {...props} />
      )}
      <ActionNotice action={deposit} />
    </>
  );
}

function TooFew({ missing }: { missing: bigint }) {
  return (
    <Notice tone="warn" title="Your wallet has too few tokens">
      <p>
        <Amount wei={missing} /> are missing.
      </p>
      <DripButton />
    </Notice>
  );
}

function SignAndSubmit({
  program,
  inputs,
  quote,
  terms,
  signed,
  buyer,
  onSigned,
  onOpened,
}: Props & { buyer: Address }) {
  const chain = useChain();
  const sign = useSignTypedData();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const submission = useMutation({
    mutationFn: submit,
    onSuccess: async (jobId) => {
      onOpened();
      await queries.invalidateQueries({ queryKey: ["jobs"] });
      navigate(`/jobs/${jobId}`);
    },
  });
  const prepared = useMutation({
    mutationFn: async (): Promise<SignedBid | null> => {
      if (!chain) throw new Error("The market has not told its network yet.");
      const { timestamp } = await chain.client.getBlock();
      const salt = toHex(crypto.getRandomValues(new Uint8Array(32)));
      const cap = capAt(quote, terms.floorPpm);
      const bid = bidOf({ buyer, program, inputs, quote, cap, terms, now: Number(timestamp), salt });
      const domain = domainOf(chain.network.chainId, chain.network.addresses.JobEscrow);
      const signature = await sign.run(Bid.typedData(bid, domain), "Sign the bid");
      return signature && { jobId: jobIdOf(bid), bid: Bid.toJson(bid), signature };
    },
    onSuccess: (made) => {
      if (!made) return;
      onSigned(made);
      submission.mutate(made);
    },
  });
  const mine = signed?.bid.buyer === buyer ? signed : null;
  return (
    <>
      <div className="row">
        {mine && !submission.isPending && submission.error ? (
          <Button kind="primary" onPress={() => submission.mutate(mine)}>
            Send the signed bid again
          </Button>
        ) : (
          <Button
            kind="primary"
            busy={prepared.isPending || submission.isPending}
            onPress={() => (mine && !submission.error ? submission.mutate(mine) : prepared.mutate())}
          >
            {mine ? "Send the signed bid" : "Sign the bid and open the job"}
          </Button>
        )}
      </div>
      <ActionNotice action={sign} onRetry={() => prepared.mutate()} />
      {prepared.error ? <WalletNotice error={prepared.error} onRetry={() => prepared.mutate()} /> : null}
      {submission.error ? <WalletNotice error={submission.error} /> : null}
    </>
  );
}

/** Submits a signed bid; the job's id is its key, so that sending it twice opens one job. */
async function submit(signed: SignedBid): Promise<string> {
  const body = { bid: signed.bid as never, signature: signed.signature };
  const header = { "idempotency-key": signed.jobId };
  const { jobId } = await ok(api.POST("/v1/jobs", { body, params: { header } }));
  return jobId;
}
