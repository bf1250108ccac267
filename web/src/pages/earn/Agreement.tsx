import { KEY_NOTICE } from "../../device";
import { Button } from "../../ui/Button";

/** What will run, what it costs, what is public and what is at risk, before anything of it happens. */
export function Agreement({ onAgree }: { onAgree: () => void }) {
  return (
    <>
      <h2 id="this-tab">Earn with this tab</h2>
      <p>Nothing runs, and no key is made, before you say yes.</p>
      <dl className="facts">
        <dt>What runs</dt>
        <dd>
          Programs of strangers, as WebAssembly in Web Workers of this tab. They have no imports: no files, no network,
          nothing of this page. Only programs that seats of verifiers have attested on the chain are run.
        </dd>
        <dt>What it costs you</dt>
        <dd>
          Power, heat, and battery if there is one: while there is work, the processor works. You choose how many Web
          Workers run, how much of their time, and when they pause. No coin and no tokens are needed to begin.
        </dd>
        <dt>What you are paid</dt>
        <dd>
          The price that the device asks for each task, in MANY. Without stake it gets one small lease at a time, most
          of its tasks are replayed, and its pay becomes stake until that is 300 task prices.
        </dd>
        <dt>What is public</dt>
        <dd>
          The device&apos;s address and yours, that they belong together for good, every signed result, pay and stake.
          Inputs and outputs of tasks are public too.
        </dd>
        <dt>What you risk</dt>
        <dd>
          A wrong result, also by a fault of the machine, can cost the device&apos;s whole stake and what was not paid
          out. A panel of seats judges that now, and no contract here has been audited.
        </dd>
        <dt>The key</dt>
        <dd>{KEY_NOTICE}</dd>
      </dl>
      <div>
        <Button kind="primary" onPress={onAgree}>
          Yes, set up this tab
        </Button>
      </div>
    </>
  );
}
