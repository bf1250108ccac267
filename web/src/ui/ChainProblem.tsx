import { messageOf } from "../api/problem";
import { Button } from "./Button";
import { Notice } from "./Notice";

/** The chain cannot be read: why, and a way to try again. Nothing of the market's is shown in its place. */
export function ChainProblem({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return (
    <Notice tone="bad" title="The chain cannot be read">
      <p>{firstLine(messageOf(error))}</p>
      <p>What stands here is read from the chain alone: there is nothing to show until its RPC answers.</p>
      <Button onPress={onRetry}>Try again</Button>
    </Notice>
  );
}

const firstLine = (text: string): string => text.split("\n")[0] ?? text;
