import { Badge } from "../../ui/Badge";
import { Empty } from "../../ui/Empty";
import { clockOf } from "./story";
import { isOver, type Job } from "./useJob";
import type { Story } from "./useStory";

/** The job's story, newest first, apart from what programs say. */
export function Events({ job, story }: { job: Job; story: Story }) {
  return (
    <section className="card stack" aria-labelledby="events">
      <div className="row spread">
        <h2 id="events">Events</h2>
        {isOver(job) || story.isGone ? null : (
          <Badge tone={story.isLive ? "good" : "warn"}>{story.isLive ? "live" : "connecting again"}</Badge>
        )}
      </div>
      {story.isGone ? (
        <Empty title="The events are gone">
          <p>The job ended long ago. Its results and its receipt are still here.</p>
        </Empty>
      ) : null}
      {!story.isGone && story.lines.length === 0 ? <Empty title="Nothing has happened yet" /> : null}
      {story.lines.length > 0 ? (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region is reached by keyboard
        <ol className="events" reversed tabIndex={0} aria-label="Events, newest first">
          {story.lines.toReversed().map((line) => (
            <li key={line.id} className={`event-${line.tone}`}>
              <time className="number" dateTime={new Date(line.at * 1000).toISOString()}>
                {clockOf(line.at)}
              </time>
              <span>{line.text}</span>
            </li>
          ))}
        </ol>
      ) : null}
    </section>
  );
}
