/**
 * The wallet as pages see it: light, and safe to import statically. wagmi stands behind a dynamic import in
 * WalletProvider and is loaded when a wallet is wanted.
 */
export { useAccount, useNativeBalance, useTokens, useWallet } from "./account";
export { type Action, useDeposit, useDrip, useSend, useSession, useSignTypedData, useWithdraw } from "./actions";
export { ConnectButton, shortAddress } from "./ConnectButton";
export type { WriteRequest } from "./engine";
export { MarketNotice } from "./MarketNotice";
export { type Problem, WalletError, walletMessage, type WalletMessage, type WayOut } from "./messages";
export { ActionNotice, DripButton, WalletNotice } from "./notices";
export type { Session } from "./session";
export type { Account, ActionState } from "./store";
export { WalletProvider } from "./WalletProvider";
export { WithAccount } from "./WithAccount";
