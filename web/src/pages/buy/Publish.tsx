import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { ActionNotice, useSession, WalletNotice, WithAccount } from "../../wallet";
import { LOCAL_CHAINS, useNetwork } from "../../network/network";
import { Button } from "../../ui/Button";
import { Meter } from "../../ui/Meter";
import { Notice } from "../../ui/Notice";
import { bytes, duration } from "../../ui/numbers";
import type { UploadedInputs } from "./terms";
import { faultOfList, type TaskInput, totalBytes } from "./inputs";
import { needsSignIn, uploadInputs, type UploadProgress } from "./upload";

/** Says what becomes public and for how long, then uploads. */
export function Publish({
  inputs,
  onUploaded,
}: {
  inputs: TaskInput[];
  onUploaded: (uploaded: UploadedInputs) => void;
}) {
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const { headers } = useSession();
  const upload = useMutation({
    mutationFn: () => uploadInputs(inputs, headers, setProgress),
    onSuccess: onUploaded,
    onSettled: () => setProgress(null),
  });
  const fault = faultOfList(inputs);
  return (
    <>
      <PublicWarning />
      <div>
        <Button kind="primary" busy={upload.isPending} isDisabled={fault !== null} onPress={() => upload.mutate()}>
          Upload {bytes(totalBytes(inputs))} and get a quote
        </Button>
      </div>
      {fault && inputs.length > 0 ? <Notice tone="warn">{fault}</Notice> : null}
      {progress && progress.of > 1 ? (
        <Meter
          label="Uploading"
          share={progress.sent / progress.of}
          text={`${progress.sent} of ${progress.of} blobs`}
        />
      ) : null}
      {upload.error && needsSignIn(upload.error) ? <SignInFirst onDone={() => upload.mutate()} /> : null}
      {upload.error && !needsSignIn(upload.error) ? (
        <WalletNotice error={upload.error} onRetry={() => upload.mutate()} />
      ) : null}
    </>
  );
}

/** Inputs and outputs are public, and how long the market keeps them. */
export function PublicWarning() {
  const { data: network } = useNetwork();
  return (
    <Notice tone="warn" title="Inputs and outputs are public">
      <p>
        Anybody can read what you upload and what comes out: upload nothing that is secret or about other people.{" "}
        {network ? (
          <>
            The market keeps them for {duration(network.blobsKeptSeconds)} after the job is over, and uploads that no
            job uses for {duration(network.uploadsKeptSeconds)};{" "}
            {LOCAL_CHAINS.includes(network.chainId) ? "this local network ends with its process; " : ""}
            others may keep copies for ever.
          </>
        ) : null}
      </p>
    </Notice>
  );
}

function SignInFirst({ onDone }: { onDone: () => void }) {
  const { session, signIn } = useSession();
  const run = async () => {
    if (session ?? (await signIn.run())) onDone();
  };
  return (
    <WithAccount why="to upload more than 1 MiB at once">
      {() => (
        <Notice title="Sign in to upload this much">
          <p>Blobs above 1 MiB are taken from people who have signed in with their wallet. It costs nothing.</p>
          <Button busy={signIn.busy} onPress={() => void run()}>
            {session ? "Upload" : "Sign in and upload"}
          </Button>
          <ActionNotice action={signIn} />
        </Notice>
      )}
    </WithAccount>
  );
}
