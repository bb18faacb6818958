import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const backend = process.env.TSLICE_URL ?? "http://127.0.0.1:8000";

const NOT_KEPT = /licenses\.md$|\.map$|^manifest\.json$/;

/** Writes sw.js: the service worker (worker/sw.js), told which files there are, and a version that is a digest of them. */
function serviceWorker(): Plugin {
  return {
    name: "tslice-service-worker",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const digest = createHash("sha256");
      const names = Object.keys(bundle).filter((name) => !NOT_KEPT.test(name));
      for (const name of names.sort()) {
        const file = bundle[name];
        digest.update(name).update(file?.type === "asset" ? file.source : (file?.code ?? ""));
      }
      const given = readdirSync("public").sort();
      for (const name of given) digest.update(name).update(readFileSync(`public/${name}`));
      const worker = readFileSync("worker/sw.js");
      const files = [...names, ...given].map((name) => `/${name}`);
      const version = digest.update(worker).digest("hex").slice(0, 16);
      const source = `const VERSION = "${version}";\nconst FILES = ${JSON.stringify(files)};\n${worker}`;
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  };
}

export default defineConfig({
  plugins: [react(), serviceWorker()],
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
    include: ["src/**/*.test.ts", "worker/*.test.js", "*.test.js"],
    environment: "node",
    // Generous: many things run at once where these do.
    testTimeout: 60_000,
  },
});
