/** What the market's order book says. Pure. */

/** The price that half of the devices ask at most, wei per GWU; null where nobody asks. Levels in any order. */
export function medianAsk(
  asks: readonly { readonly priceWeiPerGWU: string | bigint; readonly devices: number }[],
): bigint | null {
  const levels = asks.map(({ priceWeiPerGWU, devices }) => ({ price: BigInt(priceWeiPerGWU), devices }));
  const everybody = levels.reduce((sum, { devices }) => sum + devices, 0);
  let passed = 0;
  for (const { price, devices } of levels.sort((a, b) => (a.price < b.price ? -1 : 1))) {
    passed += devices;
    if (devices > 0 && 2 * passed >= everybody) return price;
  }
  return null;
}
