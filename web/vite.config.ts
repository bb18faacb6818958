import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const backend = process.env.TSLICE_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // Every asset is its own file: the content security policy allows no data: addresses and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The licences of everything that is bundled travel with it.
    license: { fileName: "licenses.md" },
  },
  server: {
    proxy: { "/api": { target: backend, ws: true } },
  },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
  },
});
