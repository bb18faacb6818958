import { describe, expect, it } from "vitest";
import german from "./de";
import english from "./en";

/** Every text by its path; plural forms count as one. */
function flat(catalogue: object, path = ""): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [key, value] of Object.entries(catalogue)) {
    const here = path ? `${path}.${key}` : key;
    if (typeof value === "string") texts.set(here, value);
    else for (const [inner, words] of flat(value, here)) texts.set(inner, words);
  }
  return texts;
}

const holes = (words: string) => [...words.matchAll(/{{\s*(\w+)|<(\w+)>/g)].map((hole) => hole[1] ?? hole[2]).sort();

describe("the German catalogue", () => {
  const theirs = flat(german);
  const ours = flat(english);

  it("says what the English one says, and no more", () => {
    expect([...theirs.keys()].sort()).toEqual([...ours.keys()].sort());
  });

  it.each([...ours])("%s has the same places to fill", (key, words) => {
    expect(holes(theirs.get(key) ?? "")).toEqual(holes(words));
    expect(theirs.get(key)?.trim()).toBeTruthy();
  });
});
