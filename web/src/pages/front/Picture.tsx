import { useEffect, useState } from "react";
import { Beads } from "./BeadString";
import { Held } from "./Held";
import { PictureCaption } from "./PictureCaption";
import { BEADS_LYING, BEADS_STANDING, lying, standing } from "./shape";
import { inWords, stationsOf } from "./stations";
import { Stop } from "./Stop";
import type { FromChain, FromMarket } from "./useFront";
import "./picture.css";

/** The network now, in one picture: the way from a bid to pay, the newest epochs on it, and what the contracts hold. */
export function Picture({ chain, market }: { chain: FromChain | null; market: FromMarket }) {
  const isStanding = useStanding();
  const beads = (chain?.beads ?? []).slice(0, isStanding ? BEADS_STANDING : BEADS_LYING);
  const shape = (isStanding ? standing : lying)(beads.length);
  const stations = stationsOf(chain, market);
  const busy = market.paid !== null || (market.freeTasks ?? 0) > 0;
  return (
    <figure className={isStanding ? "picture picture-standing card" : "picture card"}>
      <ul className="visually-hidden" aria-label="The network in words">
        {stations.map((station) => (
          <li key={station.key}>{inWords(station)}</li>
        ))}
      </ul>
      <svg viewBox={`0 0 ${shape.width} ${shape.height}`} role="group" aria-label="The network now">
        <path className="ribbon" d={shape.ribbon} />
        <path className={busy ? "way way-busy" : "way"} d={shape.way} />
        {stations.map((station, index) => {
          const at = shape.stations[index];
          return at ? (
            <Stop key={station.key} station={station} at={at} devices={market.devices ?? 0} standing={shape.standing} />
          ) : null;
        })}
        <Beads beads={beads} shape={shape} isRead={chain !== null} />
        <Held held={chain?.held ?? null} place={shape.held} standing={shape.standing} />
      </svg>
      <PictureCaption block={chain?.block ?? null} marketAt={market.at} />
    </figure>
  );
}

const NARROW = "(max-width: 60rem)";

/** Whether the page is narrow enough for the standing form. */
function useStanding(): boolean {
  const [isStanding, setStanding] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const changed = () => setStanding(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return isStanding;
}
