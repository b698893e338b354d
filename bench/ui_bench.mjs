// First paint, first and full picture from the worklist, a worklist of 1,000 studies, a film: node ui_bench.mjs URL FOLDER, on
// a new clinic. The list of 1,000 is made up from one study in the browser's network layer: what is measured is the page, not
// the records.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { muscleFilm } from "../tests/web/dicom.mjs";

const { chromium } = createRequire(fileURLToPath(new URL("../tests/web/package.json", import.meta.url)))("playwright-core");
const [base, folder] = process.argv.slice(2);
const password = "a long sentence for tests";
const RUNS = 5, STUDIES = 1000, PAGE = 100;

async function call(session, method, path, body) {
  const isBytes = Buffer.isBuffer(body);
  const answer = await fetch(`${base}/api/v1${path}`, { method, body: body === undefined ? undefined : isBytes ? body : JSON.stringify(body),
    headers: { ...(session === null ? {} : { cookie: session.cookie, "X-CSRF-Token": session.csrf }), "Content-Type": isBytes ? "application/octet-stream" : "application/json" } });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return { json: await answer.json(), head: answer.headers };
}

async function fill() {
  await call(null, "POST", "/setup", { name: "ada", display_name: "Ada", password, clinic_name: "Bench" });
  const { json, head } = await call(null, "POST", "/session", { name: "ada", password });
  const session = { cookie: head.get("set-cookie").split(";")[0], csrf: json.csrf };
  const film = readdirSync(folder).find((f) => f.endsWith(".dcm"));
  const knee = (await call(session, "POST", "/uploads", readFileSync(join(folder, film)))).json.items[0];
  const muscle = (await call(session, "POST", "/uploads", muscleFilm(40))).json.items[0];
  while ((await call(session, "GET", "/studies/counts")).json.waiting > 0) await new Promise((done) => setTimeout(done, 300));
  return { knee, muscle, summary: (await call(session, "GET", `/studies?limit=10`)).json.items.find((s) => s.id === knee.study_id) };
}

const middle = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];
const tell = (what, values) => console.log(`${what.padEnd(64)} ${middle(values).toFixed(0).padStart(6)}  (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}, ${values.length} runs)`);

async function paints(browser, state) {
  const first = [], list = [];
  for (let i = 0; i < RUNS; i++) { // a new context: nothing is in the browser's memory
    const context = await browser.newContext({ storageState: state, viewport: { width: 1280, height: 860 } });
    const page = await context.newPage();
    await page.goto(`${base}/#/?status=`);
    await page.locator(".study-row").first().waitFor();
    const { paint, row } = await page.evaluate(() => ({ paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN, row: performance.now() }));
    first.push(paint);
    list.push(row);
    await context.close();
  }
  tell("first paint of the worklist, cold", first);
  tell("rows of the worklist, cold", list);
}

// Waits without asking at every frame, which would take the time of what is measured. The viewer names what it has drawn
// (reduced, full) in the frame that draws it; the time is that of the frame after, when it is on the screen.
async function pictures(browser, state, study, what) {
  const visible = [], full = [];
  let copies = 0;
  for (let i = 0; i < RUNS; i++) {
    const context = await browser.newContext({ storageState: state, viewport: { width: 1280, height: 860 } });
    const page = await context.newPage();
    await page.goto(`${base}/#/?status=`);
    await page.locator(".study-row").first().waitFor();
    const seen = await page.evaluate(async (hash) => {
      const began = performance.now();
      const at = {};
      await new Promise((done) => {
        const look = () => {
          const state = document.querySelector("canvas[data-loaded]")?.dataset["loaded"];
          if (state === undefined || at[state] !== undefined) return;
          at[state] = Infinity;
          requestAnimationFrame(() => { at[state] = performance.now() - began; if (state === "full") done(); });
        };
        new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-loaded"] });
        location.hash = hash;
      });
      // Pixels of the picture, not an empty canvas that says it is loaded.
      const canvas = document.querySelector("canvas[data-loaded]");
      const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
      const c = copy.getContext("2d");
      c.drawImage(canvas, 0, 0);
      const greys = new Set(c.getImageData(0, Math.floor(canvas.height / 2), canvas.width, 1).data);
      return { ...at, greys: greys.size };
    }, `#/studies/${study}`);
    if (seen.greys < 16) throw new Error(`${what}: ${seen.greys} grey values on the screen`);
    copies += seen.reduced === undefined ? 0 : 1;
    visible.push(Math.min(seen.reduced ?? Infinity, seen.full));
    full.push(seen.full);
    await context.close();
  }
  tell(`${what}: picture visible${copies > 0 ? " (a reduced copy, noted)" : ""}`, visible);
  tell(`${what}: full picture`, full);
}

async function longList(browser, state, summary) {
  const context = await browser.newContext({ storageState: state, viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  await page.route(/\/api\/v1\/studies\?/, (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
    const items = Array.from({ length: PAGE }, (_, i) => ({ ...summary, patient: { id: "x", pseudonym: `P-${String(from + i).padStart(4, "0")}`, name: null } }));
    return route.fulfill({ json: { items, next: from + PAGE < STUDIES ? String(from + PAGE) : null, total: STUDIES } });
  });
  await page.goto(`${base}/#/?status=`);
  await page.locator(".study-row").first().waitFor();
  const { gaps, rows, long } = await page.evaluate(async (count) => {
    const gaps = [];
    let long = 0;
    new PerformanceObserver((list) => (long += list.getEntries().length)).observe({ entryTypes: ["longtask"] });
    let last = performance.now();
    for (let i = 0; i < 4000 && (document.querySelectorAll(".study-row").length < count || window.scrollY + window.innerHeight < document.documentElement.scrollHeight - 4); i++) {
      window.scrollBy(0, 120);
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - last);
      last = now;
    }
    return { gaps, rows: document.querySelectorAll(".study-row").length, long };
  }, STUDIES);
  const sorted = gaps.sort((a, b) => a - b);
  const share = (p) => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))].toFixed(0);
  console.log(`scrolling through ${rows} studies: frame after ${share(0.5)} (median), ${share(0.95)} (95 %), ${share(0.99)} (99 %), ${share(1)} (longest); ${long} tasks above 50`);
  await context.close();
}

async function film(browser, state, study) {
  const context = await browser.newContext({ storageState: state, viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  await page.goto(`${base}/#/studies/${study}`);
  await page.locator("canvas[data-loaded=full]").waitFor();
  await page.locator("select.rate").selectOption("30");
  const shown = await page.evaluate(async () => {
    const viewer = document.querySelector(".viewer");
    let changes = 0;
    new MutationObserver((list) => (changes += list.length)).observe(viewer, { attributes: true, attributeFilter: ["data-place"] });
    document.querySelector(".cine button").click();
    await new Promise((done) => setTimeout(done, 4000)); // once round, so that the frames are there
    changes = 0;
    await new Promise((done) => setTimeout(done, 4000));
    return changes / 4;
  });
  console.log(`film of 40 frames, 480 x 420, asked for 30 a second: ${shown.toFixed(1)} a second`);
  await context.close();
}

const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const data = await fill();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${base}/#/sign-in`);
  await page.getByLabel("Sign-in name").fill("ada");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".user").waitFor();
  const state = await context.storageState();
  await paints(browser, state);
  await pictures(browser, state, data.knee.study_id, "film of a knee");
  await pictures(browser, state, data.muscle.study_id, "first frame of a muscle film");
  await longList(browser, state, data.summary);
  await film(browser, state, data.muscle.study_id);
} finally {
  await browser.close();
}
