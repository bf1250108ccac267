import { useState } from "react";
import { type Address, isAddress } from "viem";
import type { Network } from "../../network/network";
import { useNetwork } from "../../network/network";
import { Binding, checksumAddress, domainOf } from "../../protocol";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { TextField } from "../../ui/TextField";
import { ActionNotice, useSignTypedData, WithAccount } from "../../wallet";

/** Signs the owner's consent for a desktop's device with this page's wallet. */
export function SignBinding() {
  const [isOpen, setOpen] = useState(false);
  const { data: network } = useNetwork();
  return (
    <details className="earn-policy" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Sign for a desktop&apos;s device</summary>
      {isOpen && network ? (
        <WithAccount why="to sign for your desktop's device">
          {(owner) => <BindingForm owner={owner} network={network} />}
        </WithAccount>
      ) : null}
    </details>
  );
}

function BindingForm({ owner, network }: { owner: Address; network: Network }) {
  const [text, setText] = useState("");
  const sign = useSignTypedData();
  const device = text.trim();
  const isDevice = isAddress(device, { strict: false });
  const run = () => {
    const binding = Binding.of({ device: checksumAddress(device), owner });
    const domain = domainOf(network.chainId, network.addresses.JobEscrow);
    return sign.run(Binding.typedData(binding, domain), "Consent to own this device, for good");
  };
  const line = sign.state.step === "done" ? `multitude worker init --owner-signature ${sign.state.result}` : null;
  return (
    <form
      className="stack-tight"
      onSubmit={(event) => {
        event.preventDefault();
        if (isDevice) void run();
      }}
    >
      <TextField
        label="The device's address"
        hint="The printed binding says it (device). It will belong to you for good."
        error={device && !isDevice ? "An address is 0x and 40 hexadecimal digits." : null}
        value={text}
        onChange={(next) => {
          setText(next);
          sign.reset();
        }}
      />
      <div>
        <Button type="submit" busy={sign.busy} isDisabled={!isDevice && !sign.busy}>
          Sign
        </Button>
      </div>
      <ActionNotice action={sign} />
      {line ? (
        <>
          <div className="row spread earn-line">
            <p className="small">Signed. On the desktop:</p>
            <Copy text={line} label="Copy the command" />
          </div>
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a long line scrolls by keyboard */}
          <pre className="earn-commands mono" tabIndex={0} role="region" aria-label="On the desktop">
            {line}
          </pre>
        </>
      ) : null}
    </form>
  );
}
