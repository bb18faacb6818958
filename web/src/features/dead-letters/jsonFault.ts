/** Where a text stops being JSON (RFC 8259): browsers tell that each in their own way, and most of the time not at all. */

class Fault {
  constructor(readonly position: number) {}
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: those may not stand in a string
const STRING = /"([^"\\\u0000-\u001f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const STRING_SO_FAR = /"([^"\\\u0000-\u001f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const WORDS = ["true", "false", "null"];

/** Position (UTF-16 units) of the first fault; null for JSON. */
export function jsonFault(text: string): number | null {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return false;
    at = pattern.lastIndex;
    return found[0] !== "";
  };
  const expect = (sign: string) => {
    take(SPACE);
    if (text[at] !== sign) throw new Fault(at);
    at += 1;
  };
  const string = () => {
    take(SPACE);
    if (take(STRING)) return;
    take(STRING_SO_FAR);
    throw new Fault(at);
  };
  const list = (close: string, entry: () => void) => {
    at += 1;
    take(SPACE);
    if (text[at] === close) {
      at += 1;
      return;
    }
    for (;;) {
      entry();
      take(SPACE);
      if (text[at] !== ",") break;
      at += 1;
    }
    expect(close);
  };
  const value = () => {
    take(SPACE);
    const sign = text[at];
    const word = WORDS.find((each) => text.startsWith(each, at));
    if (sign === "{") {
      list("}", () => {
        string();
        expect(":");
        value();
      });
    } else if (sign === "[") list("]", value);
    else if (sign === '"') string();
    else if (word) at += word.length;
    else if (!take(NUMBER)) throw new Fault(at);
  };
  try {
    value();
    take(SPACE);
    return at < text.length ? at : null;
  } catch (error) {
    if (error instanceof Fault) return error.position;
    throw error;
  }
}
