import { text } from "../../texts";

/** A browser and its system, as far as they can be told; else what a program calls itself first. */
export function nameOfAgent(agent: string | null): string {
  if (!agent) return text("account:agent.unknown");
  // Others call themselves Chrome and Safari, too: the particular ones are looked for first.
  const program = ["Edg", "OPR", "Firefox", "Chrome", "Safari"].find((name) => agent.includes(`${name}/`));
  if (!program || !agent.startsWith("Mozilla/")) return agent.split(" ")[0] ?? agent;
  const system = ["Windows", "Android", "iPhone", "iPad", "Mac OS X", "CrOS", "Linux"].find((name) =>
    agent.includes(name),
  );
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", "Mac OS X": "macOS", CrOS: "ChromeOS" };
  const [first, second] = [program, system].map((part) => part && (names[part] ?? part));
  return second ? text("account:agent.on", { program: first, system: second }) : (first ?? agent);
}
