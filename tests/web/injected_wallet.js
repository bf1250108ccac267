// A wallet as an extension injects it (EIP-1193, EIP-6963): its key and its mind are in tests/web/wallet.py.
((info) => {
  const listeners = new Map();
  const emit = (event, value) => (listeners.get(event) ?? []).slice().forEach((listener) => listener(value));
  const provider = {
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    removeListener(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener));
    },
    async request({ method, params }) {
      const answer = JSON.parse(await window.__testWallet(JSON.stringify({ method, params: params ?? [] })));
      if (answer.held) return new Promise(() => {});
      for (const [event, value] of answer.events ?? []) emit(event, value);
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer.result;
    },
  };
  window.__testWalletEmit = emit;
  const detail = Object.freeze({ info: Object.freeze(info), provider });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})(INFO);
