import { Link } from "wouter";
import { beadWords, ringOf, shortWords, type Shown, wrongWords } from "./beads";
import { arc, type Point, type Shape } from "./shape";
import { Line } from "./Stop";

/** The newest epochs on the ribbon, each leading to its page. */
export function Beads({ beads, shape, isRead }: { beads: readonly Shown[]; shape: Shape; isRead: boolean }) {
  const { caption } = shape;
  const words =
    beads.length > 0
      ? "The newest epochs"
      : isRead
        ? "No epoch has been posted yet"
        : "The newest epochs: not read yet";
  return (
    <g>
      <Line told={{ text: words, source: "chain" }} x={caption.x} y={caption.y} className="caption" />
      {beads.map((bead, index) => {
        const at = shape.beads[index];
        return at ? <BeadLink key={String(bead.id)} bead={bead} at={at} shape={shape} /> : null;
      })}
    </g>
  );
}

function BeadLink({ bead, at, shape: { standing, roomy } }: { bead: Shown; at: Point; shape: Shape }) {
  const remark = remarkOf(bead);
  const words = beadWords(bead);
  const label = standing ? { x: at.x + 36, y: at.y - 4 } : { x: at.x, y: at.y + 42 };
  const anchor = standing ? "start" : "middle";
  return (
    <Link href={`/audit/epochs/${bead.id}`} className="bead">
      <title>{words}</title>
      <rect
        className="bead-area"
        x={at.x - (standing ? 24 : 42)}
        y={at.y - 24}
        width={standing ? 304 : 84}
        height={standing ? 50 : 108}
        rx={6}
      />
      <Ring bead={bead} at={at} />
      <text className="bead-name" x={label.x} y={label.y} textAnchor={anchor}>
        {roomy ? "Epoch " : ""}
        {String(bead.id)}
      </text>
      <text className="bead-line" x={label.x} y={label.y + 19} textAnchor={anchor}>
        {standing ? shortWords(bead) : `${bead.replayed} of ${bead.leaves}`}
      </text>
      {standing ? null : (
        <text className={`bead-line ${remark.tone}`} x={label.x} y={label.y + 37} textAnchor={anchor}>
          {remark.text}
        </text>
      )}
    </Link>
  );
}

/** The one thing most worth saying of an epoch; its sign tells the state as well. */
function remarkOf(bead: Shown): { text: string; tone: string } {
  if (bead.phase === "void") return { text: "void", tone: "bead-bad" };
  const wrong = wrongWords(bead);
  return wrong ? { text: wrong, tone: "bead-bad" } : { text: bead.phase ?? "", tone: "" };
}

const RADIUS = 18;

/** Drawn inside the rings: dots, a clock's hands, a tick, a cross. */
const SIGNS = {
  checking: "M-6 0H-5.9M0 0H0.1M6 0H6.1",
  window: "M0 -7V0L5 4",
  final: "M-6 1L-2 5L6 -4",
  void: "M-6 -6L6 6M6 -6L-6 6",
};

function Ring({ bead, at }: { bead: Shown; at: Point }) {
  const { right, wrong } = ringOf(bead);
  const isVoid = bead.phase === "void";
  return (
    <>
      <circle className={isVoid ? "ring ring-void" : "ring"} cx={at.x} cy={at.y} r={RADIUS} />
      {isVoid || right === 0 ? null : <path className="ring-right" d={arc(at, RADIUS, 0, right)} />}
      {isVoid || wrong === 0 ? null : <path className="ring-wrong" d={arc(at, RADIUS, right, right + wrong)} />}
      {bead.phase ? (
        <path className={`phase phase-${bead.phase}`} d={SIGNS[bead.phase]} transform={`translate(${at.x} ${at.y})`} />
      ) : null}
    </>
  );
}
