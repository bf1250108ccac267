/** Where everything stands in the picture: lying for wide pages, standing for phones. Pure. */

export type Point = { readonly x: number; readonly y: number };

/** Places of one of the two forms, in units of the drawing. */
export type Shape = {
  readonly standing: boolean;
  readonly width: number;
  readonly height: number;
  /** The whole ribbon, and its first part along the stations. */
  readonly ribbon: string;
  readonly way: string;
  readonly stations: readonly Point[];
  /** Where the words above the beads begin. */
  readonly caption: Point;
  readonly beads: readonly Point[];
  /** Whether a bead's name has room for a word beside its number. */
  readonly roomy: boolean;
  readonly held: Point & { readonly width: number };
};

/** Epochs that the picture has room for. */
export const BEADS_LYING = 12;
export const BEADS_STANDING = 6;

const GAP_MAX = 300;

/** The wide form: the way runs right, turns, and carries the epochs back, newest first; below it what is held. */
export function lying(beads: number): Shape {
  const gap = Math.min(GAP_MAX, 940 / Math.max(1, beads - 1));
  const places = Array.from({ length: beads }, (_, newest) => ({ x: 1034 - newest * gap, y: 296 }));
  return {
    standing: false,
    width: 1120,
    height: 488,
    way: "M42 60H906",
    ribbon: "M42 60H1060Q1100 60 1100 100V256Q1100 296 1060 296H60Q20 296 20 336V436",
    stations: [42, 258, 474, 690, 906].map((x) => ({ x, y: 60 })),
    caption: { x: 20, y: 252 },
    beads: places,
    roomy: gap > 110,
    held: { x: 12, y: 430, width: 1096 },
  };
}

/** The narrow form: everything down one line, the newest epoch on top of its part. */
export function standing(beads: number): Shape {
  const [pitch, step, first] = [124, 58, 696];
  const heldY = first + beads * step + 24;
  return {
    standing: true,
    width: 312,
    height: heldY + 102,
    way: `M28 44V${44 + 4 * pitch}`,
    ribbon: `M28 44V${heldY}`,
    stations: [0, 1, 2, 3, 4].map((i) => ({ x: 28, y: 44 + i * pitch })),
    caption: { x: 64, y: first - 40 },
    beads: Array.from({ length: beads }, (_, newest) => ({ x: 28, y: first + newest * step })),
    roomy: true,
    held: { x: 16, y: heldY, width: 292 },
  };
}

/** An arc of a ring from one share of the turn to another (0 at the top, clockwise), as a path. */
export function arc({ x, y }: Point, radius: number, from: number, to: number): string {
  const end = Math.min(to, from + 0.999);
  const at = (share: number) => {
    const turn = 2 * Math.PI * share;
    return `${rounded(x + radius * Math.sin(turn))} ${rounded(y - radius * Math.cos(turn))}`;
  };
  return `M${at(from)}A${radius} ${radius} 0 ${end - from > 0.5 ? 1 : 0} 1 ${at(end)}`;
}

/** Places of `count` dots around a middle, as a sunflower puts its seeds; `spread` between neighbours. */
export function seeds(count: number, spread: number): Point[] {
  const golden = Math.PI * (3 - Math.sqrt(5));
  const places = Array.from({ length: count }, (_, i) => {
    const radius = spread * Math.sqrt(i + 0.5);
    return { x: radius * Math.cos(i * golden), y: radius * Math.sin(i * golden) };
  });
  const middle = { x: mean(places.map(({ x }) => x)), y: mean(places.map(({ y }) => y)) };
  return places.map(({ x, y }) => ({ x: rounded(x - middle.x), y: rounded(y - middle.y) }));
}

/** Parts laid side by side over a width: where each begins and how wide it is; one that is not zero is seen. */
export function sideBySide(parts: readonly bigint[], width: number): { x: number; width: number }[] {
  const total = parts.reduce((sum, part) => sum + part, 0n);
  if (total === 0n) return parts.map(() => ({ x: 0, width: 0 }));
  const scale = (wei: bigint) => (Number((wei * 1_000_000n) / total) / 1_000_000) * width;
  let before = 0n;
  return parts.map((part) => {
    const x = scale(before);
    before += part;
    return { x, width: part === 0n ? 0 : Math.max(2, scale(before) - x) };
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const rounded = (value: number): number => Math.round(value * 100) / 100;
