/** How numbers are written for people. Wei and WU are bigint; nothing is ever rounded up. */
const WEI_PER_TOKEN = 10n ** 18n;

/** "1,234.5678": tokens of an amount in wei, cut after `digits` significant decimals of the part below one. */
export function tokens(wei: bigint, digits = 6): string {
  const sign = wei < 0n ? "−" : "";
  const size = wei < 0n ? -wei : wei;
  const whole = (size / WEI_PER_TOKEN).toLocaleString("en-US");
  const rest = (size % WEI_PER_TOKEN).toString().padStart(18, "0");
  const leading = size < WEI_PER_TOKEN ? (/^0*/.exec(rest)?.[0].length ?? 0) : 0;
  const shown = rest.slice(0, Math.min(18, leading + digits)).replace(/0+$/, "");
  return sign + whole + (shown ? `.${shown}` : "");
}

/** The exact amount: "1.000000000000000001 MANY (1000000000000000001 wei)". */
export const exactTokens = (wei: bigint): string => `${tokens(wei, 18)} MANY (${wei} wei)`;

const SCALES: [bigint, string][] = [
  [10n ** 12n, "TWU"],
  [10n ** 9n, "GWU"],
  [10n ** 6n, "MWU"],
  [10n ** 3n, "kWU"],
];

/** "12.3 MWU": work units in three digits or so, cut. */
export function work(wu: bigint): string {
  const scale = SCALES.find(([unit]) => wu >= unit);
  if (!scale) return `${wu} WU`;
  const tenths = (wu * 10n) / scale[0];
  const rest = tenths % 10n;
  return `${(tenths / 10n).toLocaleString("en-US")}${rest ? `.${rest}` : ""} ${scale[1]}`;
}

/** "1.5 %" of parts in a million. */
export const percent = (ppm: number): string => `${Number((ppm / 10_000).toFixed(2))} %`;

/** "3 min 20 s", "2 h 5 min", "45 s"; never negative. */
export function duration(seconds: number): string {
  const left = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(left / 86_400), "d"],
    [Math.floor(left / 3600) % 24, "h"],
    [Math.floor(left / 60) % 60, "min"],
    [left % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** "1.2 kB". */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB"];
  let size = count;
  let unit = "B";
  for (const next of units) {
    if (size < 1000) break;
    size /= 1000;
    unit = next;
  }
  return `${size.toFixed(size < 10 ? 1 : 0)} ${unit}`;
}

const AMOUNT = /^(\d{0,20}|\d{1,3}(?:,\d{3})+)(?:\.(\d{0,18}))?$/;

/** Wei of a typed amount of tokens ("1,234.5"); null where it is no amount, or a comma that parts no thousands. */
export function weiOf(text: string): bigint | null {
  const found = AMOUNT.exec(text.trim());
  const [, whole = "", rest = ""] = found ?? [];
  if (!found || whole + rest === "") return null;
  return BigInt(whole.replaceAll(",", "") || "0") * WEI_PER_TOKEN + BigInt(rest.padEnd(18, "0"));
}
