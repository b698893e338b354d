// The one file of texts is texts/en.json; a translation is a second file with the same keys.
import english from "./texts/en.json";

const texts: Record<string, string> = english;

export function t(key: string, values: Record<string, string | number> = {}): string {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

// For keys that come from the server: its own word where there is no translation.
export function known(prefix: string, key: string): string {
  return texts[`${prefix}.${key}`] ?? key.replaceAll("-", " ");
}
