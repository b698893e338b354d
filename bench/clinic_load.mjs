// A full clinic on one machine: people browsing and uploading at once, against 127.0.0.1 only. Prints how long page data took,
// errors, uploads that were acknowledged and are not there, and the server's memory and open files over time.
//
//     node bench/clinic_load.mjs build/rehascope [--seconds 60] [--readers 50] [--uploaders 10] [--studies 1000]
//         [--pause 1] [--upload-pause 1] [--samples FILE.csv]
//
// Pauses are the mean seconds between two steps of one person. Exit code 1: an error, or an upload was lost.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { deflateSync } from "node:zlib";

const options = { seconds: 60, readers: 50, uploaders: 10, studies: 1000, pause: 1, "upload-pause": 1, samples: "" };
const [program, ...rest] = process.argv.slice(2);
for (let i = 0; i < rest.length; i += 2) {
  const name = (rest[i] ?? "").replace(/^--/, "");
  if (!(name in options) || rest[i + 1] === undefined) throw new Error(`no option ${rest[i]}`);
  options[name] = name === "samples" ? rest[i + 1] : Number(rest[i + 1]);
}
if (program === undefined || !existsSync(program)) throw new Error("name the program: clinic_load.mjs build/rehascope");

const PASSWORD = "correct horse battery";
const home = join(mkdtempSync(join(tmpdir(), "reha-load-")), "home");
const agent = new http.Agent({ keepAlive: true, maxSockets: 160 });
const sleep = (s) => new Promise((done) => setTimeout(done, 1000 * s));
const draw = (n) => Math.floor(Math.random() * n);
const think = (mean) => sleep(mean * (0.5 + Math.random()));

// --- requests ------------------------------------------------------------------------------------

const took = new Map(); // kind -> milliseconds
const faults = new Map(); // "GET /path 503" -> how often
let port = 0;

function request(who, method, path, body, headers = {}) {
  const sent = { ...headers };
  if (who?.cookie) Object.assign(sent, { Cookie: who.cookie, "X-CSRF-Token": who.csrf });
  if (body !== undefined && !(body instanceof Buffer)) {
    body = Buffer.from(JSON.stringify(body));
    sent["Content-Type"] = "application/json";
  }
  if (body !== undefined) sent["Content-Length"] = body.length;
  return new Promise((done) => {
    const call = http.request({ host: "127.0.0.1", port, agent, method, path: `/api/v1${path}`, headers: sent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => done({ code: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on("error", () => done({ code: 0, headers: {}, body: Buffer.alloc(0) }));
    });
    call.on("error", () => done({ code: 0, headers: {}, body: Buffer.alloc(0) }));
    call.end(body);
  });
}

async function timed(kind, who, method, path, body, headers) {
  const begin = performance.now();
  const answer = await request(who, method, path, body, headers);
  if (!took.has(kind)) took.set(kind, []);
  took.get(kind).push(performance.now() - begin);
  if (answer.code < 200 || answer.code >= 400) {
    const what = `${kind} ${answer.code}`;
    faults.set(what, (faults.get(what) ?? 0) + 1);
  }
  return answer;
}

async function must(who, method, path, body, headers) {
  const answer = await request(who, method, path, body, headers);
  if (answer.code < 200 || answer.code >= 300) throw new Error(`${method} ${path}: ${answer.code} ${answer.body}`);
  return answer.body.length > 0 ? JSON.parse(answer.body) : null;
}

async function signIn(name) {
  const answer = await request(null, "POST", "/session", { name, password: PASSWORD });
  if (answer.code !== 201) throw new Error(`sign in: ${answer.code}`);
  return { cookie: answer.headers["set-cookie"][0].split(";")[0], csrf: JSON.parse(answer.body).csrf };
}

// --- pictures ---------------------------------------------------------------------------------------

const crcTable = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});
const crc = (bytes) => (bytes.reduce((c, byte) => crcTable[(c ^ byte) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;

function chunk(kind, data) {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(kind, 4, "latin1");
  data.copy(out, 8);
  out.writeUInt32BE(crc(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

// Noise does not compress: an upload is as large as it looks.
function noise(side) {
  const rows = Buffer.alloc(side * (side + 1));
  for (let y = 0; y < side; y++) randomBytes(side).copy(rows, y * (side + 1) + 1);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 0, 0, 0, 0], 8);
  const magic = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return [Buffer.concat([magic, chunk("IHDR", head)]), Buffer.concat([chunk("IDAT", deflateSync(rows, { level: 1 })), chunk("IEND", Buffer.alloc(0))])];
}

// Made once: the driver's own work must not be measured. A comment makes each file another one.
const made = new Map();
function png(side) {
  if (!made.has(side)) made.set(side, Array.from({ length: 8 }, () => noise(side)));
  const [head, body] = made.get(side)[draw(8)];
  return Buffer.concat([head, chunk("tEXt", Buffer.from(`Comment\0${randomBytes(12).toString("hex")}`, "latin1")), body]);
}

const upload = (who, side, patient) => {
  const headers = { "Content-Type": "application/octet-stream", "X-File-Name": "noise.png", "Idempotency-Key": randomBytes(12).toString("hex") };
  return [who, "POST", `/uploads?patient_id=${patient}`, png(side), headers];
};

// --- people ------------------------------------------------------------------------------------------

const records = { patients: [], studies: [], images: [] };
const stored = []; // acknowledged
let isOver = false;

// Every page listens; the server ends a stream after some minutes and the page opens it again, as browsers do.
function listen(who) {
  const stream = http.get({ host: "127.0.0.1", port, path: "/api/v1/events", headers: { Cookie: who.cookie }, agent: false }, (answer) => {
    answer.resume();
    answer.on("end", () => !isOver && listen(who));
    answer.on("error", () => undefined);
  });
  stream.on("error", () => undefined);
  who.stream = stream;
}

async function browse(who) {
  listen(who);
  await think(options.pause);
  while (!isOver) {
    const study = records.studies[draw(records.studies.length)];
    const patient = records.patients[draw(records.patients.length)];
    const step = draw(10);
    if (step < 3) await timed("worklist", who, "GET", "/studies?limit=50");
    else if (step < 4) await timed("search", who, "GET", `/patients?text=${encodeURIComponent(`person${draw(100)}`)}`);
    else if (step < 7) await timed("study", who, "GET", `/studies/${study}`);
    else if (step < 8) await timed("patient", who, "GET", `/patients/${patient}`);
    else if (step < 9) await timed("series", who, "GET", `/patients/${patient}/series`);
    else await timed("picture", who, "GET", `/images/${records.images[draw(records.images.length)]}/picture.png?side_max_px=160`);
    await think(options.pause);
  }
  who.stream.destroy();
}

async function send(who) {
  while (!isOver) {
    const answer = await timed("upload", ...upload(who, 640, records.patients[draw(records.patients.length)]));
    if (answer.code === 201) stored.push(JSON.parse(answer.body).items[0].image_id);
    await think(options["upload-pause"]);
  }
}

// --- the server, from outside ----------------------------------------------------------------------------

function sample(pid, begin) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const ticks = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return {
    second: Math.round((performance.now() - begin) / 1000),
    rss_mib: read("VmRSS") / 1024,
    threads: read("Threads"),
    files: readdirSync(`/proc/${pid}/fd`).length,
    cpu_s: (Number(ticks[11]) + Number(ticks[12])) / 100,
  };
}

const quantile = (sorted, q) => (sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]);
const mean = (values) => values.reduce((a, b) => a + b, 0) / Math.max(values.length, 1);

function print(samples) {
  const pages = [];
  console.log(`${"".padEnd(12)}${"count".padStart(8)}${"p50 ms".padStart(9)}${"p99 ms".padStart(9)}${"max ms".padStart(9)}`);
  const row = (kind, all) => {
    const sorted = [...all].sort((a, b) => a - b);
    const cells = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted[sorted.length - 1] ?? 0].map((v) => v.toFixed(1).padStart(9));
    console.log(`${kind.padEnd(12)}${String(sorted.length).padStart(8)}${cells.join("")}`);
  };
  for (const [kind, all] of [...took].sort()) {
    row(kind, all);
    if (kind !== "upload" && kind !== "picture") pages.push(...all);
  }
  row("page data", pages);
  console.log(`errors: ${faults.size === 0 ? "none" : [...faults].map(([what, n]) => `${n} x ${what}`).join(", ")}`);
  const third = Math.max(1, Math.floor(samples.length / 3));
  for (const name of ["rss_mib", "files", "threads"]) {
    const parts = [samples.slice(third, 2 * third), samples.slice(-third)].map((part) => mean(part.map((s) => s[name])));
    const most = Math.max(...samples.map((s) => s[name]));
    console.log(`server ${name}: ${parts[0].toFixed(1)} in the second third, ${parts[1].toFixed(1)} in the last, ${most.toFixed(1)} at most`);
  }
  const last = samples[samples.length - 1];
  console.log(`server processor time: ${(last.cpu_s - samples[0].cpu_s).toFixed(1)} s over ${last.second - samples[0].second} s`);
}

// --- the day ------------------------------------------------------------------------------------------------

async function main() {
  const server = spawn(resolve(program), ["serve", "--home", home, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  server.stdout.on("data", (part) => (text += part));
  while (port === 0) {
    port = Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1] ?? 0);
    if (server.exitCode !== null) throw new Error("the server did not start");
    await sleep(0.1);
  }
  try {
    await must(null, "POST", "/setup", { name: "admin", display_name: "A", password: PASSWORD });
    const admin = await signIn("admin");
    await must(admin, "POST", "/users", { name: "petra", display_name: "P", password: PASSWORD, role: "physiotherapist" });
    const people = [];
    for (let i = 0; i < options.readers + options.uploaders; i++) people.push(await signIn("petra"));
    for (let i = 0; i < 100; i++) records.patients.push((await must(people[0], "POST", "/patients", { name: `Person${i} Load` })).id);
    for (let i = 0; i < options.studies; i++) {
      const item = (await must(...upload(people[0], 32, records.patients[draw(100)]))).items[0];
      records.studies.push(item.study_id);
      records.images.push(item.image_id);
    }
    console.log(`${options.readers} browsing, ${options.uploaders} uploading, ${options.studies} studies, ${options.seconds} s`);
    const begin = performance.now();
    const samples = [sample(server.pid, begin)];
    const all = people.map((who, i) => (i < options.readers ? browse(who) : send(who)));
    while (performance.now() - begin < 1000 * options.seconds) {
      await sleep(Math.min(5, options.seconds / 6));
      samples.push(sample(server.pid, begin));
      if (options.samples !== "") writeFileSync(options.samples, ["second,rss_mib,threads,files,cpu_s", ...samples.map((s) => Object.values(s).join(","))].join("\n") + "\n");
    }
    isOver = true;
    await Promise.all(all);
    let lost = 0;
    for (const id of stored) lost += (await request(people[0], "GET", `/images/${id}/file.dcm`)).code === 200 ? 0 : 1;
    print(samples);
    console.log(`uploads acknowledged: ${stored.length}, lost: ${lost}`);
    const proof = await must(admin, "POST", "/audit/verification?blobs=1", {});
    console.log(`records: ${proof.ok ? "whole" : proof.fault}, ${proof.events} audit events, ${proof.blobs} files`);
    return faults.size > 0 || lost > 0 || !proof.ok ? 1 : 0;
  } finally {
    agent.destroy();
    const ended = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await ended;
    rmSync(join(home, ".."), { recursive: true, force: true });
  }
}
process.exit(await main());
