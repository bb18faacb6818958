/**
 * What the browser has to load before the page can be seen, and refuses when it is too much: `npm run budget`, after the build.
 */

import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** Bytes, gzipped. */
export const BUDGETS = { js: 250_000, css: 40_000, html: 5_000 };

/** Every file that `index.html` needs at once: its scripts, what they import statically, its style sheets. */
export function initialFiles(read) {
  const found = new Set(["index.html"]);
  const waiting = [...read("index.html").matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map((match) => match[1]);
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (name === undefined || found.has(name)) continue;
    found.add(name);
    if (!name.endsWith(".js")) continue;
    // Of the bundler's own making: `import{a as b}from"./c.js"`, `import"./c.js"`; `import("./c.js")` comes later.
    for (const [, path] of read(name).matchAll(/(?:^|[;}\n])(?:import|export)[^"'`();]*["'](\.[^"']+)["']/g)) {
      waiting.push(normalize(join(dirname(name), path)));
    }
  }
  return [...found];
}

/** Gzipped bytes by kind, and what is over its budget, in words. */
export function measure(read, budgets = BUDGETS) {
  const sizes = Object.fromEntries(Object.keys(budgets).map((kind) => [kind, 0]));
  for (const name of initialFiles(read)) {
    sizes[name.slice(name.lastIndexOf(".") + 1)] += gzipSync(read(name)).length;
  }
  const over = Object.entries(sizes)
    .filter(([kind, size]) => size === 0 || size > budgets[kind])
    .map(([kind, size]) => `${kind}: ${size} bytes gzipped at the start, the budget is ${budgets[kind]}`);
  return { sizes, over };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(dirname(process.argv[1]), "dist");
  const { sizes, over } = measure((name) => readFileSync(join(dist, name), "utf8"));
  const words = Object.entries(sizes).map(
    ([kind, size]) => `${kind} ${(size / 1000).toFixed(1)} of ${BUDGETS[kind] / 1000}`,
  );
  console.log(`kB gzipped at the start: ${words.join(", ")}`);
  if (over.length > 0) {
    console.error(over.join("\n"));
    process.exitCode = 1;
  }
}
