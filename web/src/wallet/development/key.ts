import { generatePrivateKey, privateKeyToAccount, type PrivateKeyAccount } from "viem/accounts";

const KEY = "multitude.development-wallet.key";

/** The key that this browser made for local networks, made now where there is none. */
export function developmentAccount(storage: Storage): PrivateKeyAccount {
  let key = storage.getItem(KEY);
  if (!key || !/^0x[0-9a-f]{64}$/.test(key)) {
    key = generatePrivateKey();
    storage.setItem(KEY, key);
  }
  return privateKeyToAccount(key as `0x${string}`);
}
