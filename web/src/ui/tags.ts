/** Tags as they are typed, with commas between them: each once, without air. */
export function tagsOf(typed: string): string[] {
  return [...new Set(typed.split(",").map((tag) => tag.trim()))].filter((tag) => tag !== "");
}
