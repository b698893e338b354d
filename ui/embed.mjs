// Turns the built pages into one C file: node embed.mjs DIST OUT.c
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};
const [dist, out] = process.argv.slice(2);
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .sort();

const arrays = [];
const rows = [];
for (const [i, file] of files.entries()) {
  const type = types[extname(file)];
  if (type === undefined) {
    throw new Error(`${file}: no content type is known for this kind of file`);
  }
  const bytes = readFileSync(file);
  const lines = [];
  for (let at = 0; at < bytes.length; at += 32) {
    lines.push(Array.from(bytes.subarray(at, at + 32)).join(",") + ",");
  }
  const path = file.slice(dist.length).replaceAll("\\", "/");
  const etag = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  arrays.push(`static const uint8_t file_${i}[] = {\n${lines.join("\n")}\n};`);
  rows.push(
    `    {"${path}", "${type}", "\\"${etag}\\"", ${path.startsWith("/assets/")}, ${bytes.length}, file_${i}},`,
  );
}
writeFileSync(
  out,
  `/* Made from ui/ by ui/embed.mjs. */
#include "web/assets.h"

${arrays.join("\n\n")}

const reha_asset reha_assets[] = {
${rows.join("\n")}
};
const size_t reha_asset_count = ${files.length};
const bool reha_assets_built = true;
`,
);
