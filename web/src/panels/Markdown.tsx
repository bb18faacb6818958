import { useMemo } from "react";
import { blocks, type Inline } from "./markdown";

/** Text with a small part of Markdown. Headings begin below that of the panel. */
export function Markdown({ text }: { text: string }) {
  const found = useMemo(() => blocks(text), [text]);
  return (
    <div className="markdown">
      {found.map((block, index) => {
        const key = `${index} ${block.kind}`;
        if (block.kind === "code") {
          return (
            <pre key={key}>
              <code>{block.text}</code>
            </pre>
          );
        }
        if (block.kind === "list") {
          const items = block.items.map((item, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines of a text have nothing else to be known by
            <li key={place}>
              <Parts parts={item} />
            </li>
          ));
          return block.ordered ? <ol key={key}>{items}</ol> : <ul key={key}>{items}</ul>;
        }
        const parts = <Parts parts={block.parts} />;
        if (block.kind === "paragraph") return <p key={key}>{parts}</p>;
        const Heading = (["h3", "h4", "h5"] as const)[block.level - 1] ?? "h5";
        return (
          <Heading key={key} className="markdown-head" data-level={block.level}>
            {parts}
          </Heading>
        );
      })}
    </div>
  );
}

function Parts({ parts }: { parts: Inline[] }) {
  return parts.map((part, index) => {
    const key = `${index} ${part.kind}`;
    switch (part.kind) {
      case "strong":
        return <strong key={key}>{part.text}</strong>;
      case "emphasis":
        return <em key={key}>{part.text}</em>;
      case "code":
        return <code key={key}>{part.text}</code>;
      case "link":
        return (
          <a key={key} href={part.href} rel="noreferrer">
            {part.text}
          </a>
        );
      default:
        return part.text;
    }
  });
}
