import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` beside a running network: API=http://127.0.0.1:PORT npx vite
const api = process.env.API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  // The market puts a fresh value in its place with every answer (market/web.py).
  html: { cspNonce: "__CSP_NONCE__" },
  build: { target: "es2023", sourcemap: false, manifest: true, assetsInlineLimit: 0 },
  worker: { format: "es" },
  server: { proxy: { "/v1": api } },
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
