/** A small part of Markdown, read into blocks that are drawn as elements: nothing in a text ever becomes markup. */

export type Inline =
  | { kind: "text" | "strong" | "emphasis" | "code"; text: string }
  | { kind: "link"; text: string; href: string };

export type Block =
  | { kind: "heading"; level: 1 | 2 | 3; parts: Inline[] }
  | { kind: "paragraph"; parts: Inline[] }
  | { kind: "list"; ordered: boolean; items: Inline[][] }
  | { kind: "code"; text: string };

const marks = /\*\*([^*\n]+)\*\*|\*([^*\n]+)\*|`([^`\n]+)`|\[([^\]\n]+)\]\(([^()\s]+)\)/g;

/** An address that may be followed: of the web, of an e-mail, or of this page. Anything else stays text. */
export function safeAddress(address: string): string | null {
  if (/^\/(?![/\\])/.test(address)) return address;
  try {
    return ["https:", "http:", "mailto:"].includes(new URL(address).protocol) ? address : null;
  } catch {
    return null;
  }
}

export function inline(text: string): Inline[] {
  const parts: Inline[] = [];
  let end = 0;
  for (const found of text.matchAll(marks)) {
    if (found.index > end) parts.push({ kind: "text", text: text.slice(end, found.index) });
    end = found.index + found[0].length;
    const [whole, strong, emphasis, code, label, address] = found;
    const href = address === undefined ? null : safeAddress(address);
    if (strong !== undefined) parts.push({ kind: "strong", text: strong });
    else if (emphasis !== undefined) parts.push({ kind: "emphasis", text: emphasis });
    else if (code !== undefined) parts.push({ kind: "code", text: code });
    else if (label !== undefined && href !== null) parts.push({ kind: "link", text: label, href });
    else parts.push({ kind: "text", text: whole });
  }
  if (end < text.length) parts.push({ kind: "text", text: text.slice(end) });
  return parts;
}

export function blocks(text: string): Block[] {
  const found: Block[] = [];
  const lines = text.split("\n");
  let at = 0;
  const line = () => lines[at] ?? "";
  const bullet = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/;
  while (at < lines.length) {
    const heading = /^(#{1,3})\s+(.*)$/.exec(line());
    const item = bullet.exec(line());
    if (line().startsWith("```")) {
      const code: string[] = [];
      for (at += 1; at < lines.length && !line().startsWith("```"); at += 1) code.push(line());
      found.push({ kind: "code", text: code.join("\n") });
      at += 1;
    } else if (heading?.[1]) {
      found.push({ kind: "heading", level: heading[1].length as 1 | 2 | 3, parts: inline(heading[2] ?? "") });
      at += 1;
    } else if (item) {
      const items: Inline[][] = [];
      for (let next: RegExpExecArray | null = item; next; next = at < lines.length ? bullet.exec(line()) : null) {
        items.push(inline(next[2] ?? ""));
        at += 1;
      }
      found.push({ kind: "list", ordered: item[1] !== undefined, items });
    } else if (line().trim() === "") {
      at += 1;
    } else {
      const words: string[] = [];
      while (at < lines.length && line().trim() !== "" && !/^(#{1,3}\s|```)/.test(line()) && !bullet.test(line())) {
        words.push(line().trim());
        at += 1;
      }
      found.push({ kind: "paragraph", parts: inline(words.join(" ")) });
    }
  }
  return found;
}
