import { useState } from "react";
import type { Address } from "viem";
import { messageOf } from "../../api/problem";
import { type BrowserDevice, type DeviceSnapshot, KEY_NOTICE } from "../../device";
import { Button } from "../../ui/Button";
import { Hash } from "../../ui/Hash";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { ActionNotice, useSignTypedData, WithAccount } from "../../wallet";

/** The device has a key; its owner consents with one signature, without any coin. */
export function Authorise({ it, device }: { it: DeviceSnapshot; device: BrowserDevice }) {
  return (
    <>
      <p>
        This tab has a device key now. The device&apos;s pay goes to the owner that you choose: it belongs to that
        address for good.
      </p>
      <dl className="facts">
        <dt>Device</dt>
        <dd>
          <Hash value={it.device ?? ""} name="device's address" />
        </dd>
      </dl>
      <p className="small soft">{KEY_NOTICE}</p>
      {it.binding ? (
        <Spinner label="Both signatures are with the market; the chain shows it in some blocks" />
      ) : (
        <WithAccount why="to own this device">{(owner) => <Consent owner={owner} device={device} />}</WithAccount>
      )}
    </>
  );
}

function Consent({ owner, device }: { owner: Address; device: BrowserDevice }) {
  const sign = useSignTypedData();
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const bind = async () => {
    setBusy(true);
    setFailure(null);
    let refused = false;
    try {
      await device.bind(owner, async (typed) => {
        const signature = await sign.run(typed, "Authorise this device");
        refused = signature === null;
        if (signature === null) throw new Error("It was not signed.");
        return signature;
      });
    } catch (error) {
      if (!refused) setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="stack-tight">
      <dl className="facts">
        <dt>Owner</dt>
        <dd>
          <Hash value={owner} name="owner's address" />
        </dd>
      </dl>
      <p>One signature and no coin: the market puts the binding on the chain.</p>
      <div>
        <Button kind="primary" busy={busy} onPress={() => void bind()}>
          Authorise this device
        </Button>
      </div>
      <ActionNotice action={sign} onRetry={() => void bind()} />
      {failure ? (
        <Notice tone="bad" title="The device is not authorised">
          <p>{failure}</p>
        </Notice>
      ) : null}
    </div>
  );
}
