import { messageOf } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";

/** The chain cannot be read: why, and a way to try again. Nothing of the market's is shown in its place. */
export function ChainProblem({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return (
    <Notice tone="bad" title="The chain cannot be read">
      <p>{firstLine(messageOf(error))}</p>
      <p>Nothing here comes from the market, so there is nothing to show until the chain&apos;s RPC answers.</p>
      <Button onPress={onRetry}>Try again</Button>
    </Notice>
  );
}

const firstLine = (text: string): string => text.split("\n")[0] ?? text;
