// The viewer in a real browser: node viewer.mjs URL FOLDER [SHOTS]. FOLDER holds DICOM phantoms. Stacks, films, reduced copies,
// overlays, comparison, touch; keyboard alone where a hand on the mouse is not needed. Exit 1 names what went wrong.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { muscleFilm, series } from "./dicom.mjs";

const [base, folder, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const password = "a long sentence for tests";
const faults = [];
let checks = 0;
const check = (ok, what) => {
  checks++;
  if (!ok) faults.push(what);
};

// --- the records, without the pages ---

async function call(session, method, path, body, headers = {}) {
  const isBytes = Buffer.isBuffer(body);
  const answer = await fetch(`${base}/api/v1${path}`, { method, body: body === undefined ? undefined : isBytes ? body : JSON.stringify(body),
    headers: { ...(session === null ? {} : { cookie: session.cookie, "X-CSRF-Token": session.csrf }), "Content-Type": isBytes ? "application/octet-stream" : "application/json", ...headers } });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return { json: await answer.json(), head: answer.headers };
}

async function signInByProgram(name) {
  const { json, head } = await call(null, "POST", "/session", { name, password });
  return { cookie: head.get("set-cookie").split(";")[0], csrf: json.csrf };
}

async function upload(session, bytes, name, query = "") {
  const { json } = await call(session, "POST", `/uploads${query}`, bytes, { "X-File-Name": name });
  return json.items[0];
}

async function fill() {
  await call(null, "POST", "/setup", { name: "ada", display_name: "Ada Admin", password, clinic_name: "Viewer clinic" });
  const admin = await signInByProgram("ada");
  await call(admin, "POST", "/users", { name: "petra", display_name: "Petra Physio", password, role: "physiotherapist" });
  const petra = await signInByProgram("petra");
  const patient = (await call(petra, "POST", "/patients", { pseudonym: "P-0002" })).json.id;
  const films = readdirSync(folder).filter((f) => f.endsWith(".dcm")).sort();
  const knees = [];
  for (const [i, f] of films.entries()) {
    const item = await upload(petra, readFileSync(join(folder, f)), f, `?patient_id=${patient}`);
    knees.push({ ...item, no: i });
  }
  let slices = null;
  for (const [i, bytes] of series(6).entries()) slices = await upload(petra, bytes, `slice-${i}.dcm`);
  const film = await upload(petra, muscleFilm(8), "film.dcm");
  for (;;) {
    const { json } = await call(petra, "GET", "/studies/counts");
    if (json.waiting === 0) break;
    await new Promise((done) => setTimeout(done, 300));
  }
  return { petra, patient, knees, slices, film };
}

// --- the pages ---

async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, bypassCSP: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(120000);
  page.on("request", (r) => check(r.url().startsWith(`${base}/`) || r.url().startsWith(`blob:${base}/`), `a request left the origin: ${r.url()}`));
  page.on("pageerror", (e) => check(false, `script error: ${e.message}`));
  page.on("console", (m) => check(m.type() !== "error" || /status of (401|409)/.test(m.text()), `console: ${m.text()}`));
  await page.goto(`${base}/#/sign-in`);
  await page.getByLabel("Sign-in name").fill("petra");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".user").waitFor();
  return page;
}

async function judge(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0)); // what lies half under the bar at the top has no full size
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  check(violations.length === 0, `${name}: ${violations.map((v) => `${v.id} at ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`).join("; ")}`);
  if (shots) await page.screenshot({ path: join(shots, `v-${name}.png`), fullPage: true });
}

// From an empty page, so that nothing of the page before is taken for this one.
async function openStudy(page, id) {
  await page.goto("about:blank");
  await page.goto(`${base}/#/studies/${id}`);
  await page.locator("canvas[data-loaded]").first().waitFor();
}

// What was done is on the screen: the viewer draws in the next animation frame.
const drawn = (page) => page.evaluate(async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); });

// True as soon as it holds; false after a long time, whatever the machine is busy with.
async function becomes(page, holds) {
  for (let i = 0; i < 600; i++) {
    if (await holds()) return true;
    await page.waitForTimeout(100);
  }
  return false;
}

const place = (page) => page.locator(".stack-place").innerText();
const info = (page) => page.locator(".viewer-info").first().innerText();
const until = (page, text) => page.waitForFunction((t) => document.querySelector(".stack-place")?.textContent === t, text);

async function leafThroughASeries(page, data) {
  await openStudy(page, data.slices.study_id);
  await until(page, "3 / 6"); // a series begins at its middle
  await page.keyboard.press(".");
  await until(page, "4 / 6");
  await page.keyboard.press(",");
  await until(page, "3 / 6");
  await page.locator("canvas").first().focus();
  await page.keyboard.press("ArrowDown");
  await until(page, "4 / 6");
  await page.keyboard.press("End");
  await until(page, "6 / 6");
  await page.keyboard.press("Home");
  await until(page, "1 / 6");
  const box = await page.locator("canvas").first().boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.wheel(0, 100);
  await page.waitForFunction(() => document.querySelector(".stack-place")?.textContent !== "1 / 6");
  const before = await info(page);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await page.waitForFunction((text) => document.querySelector(".viewer-info")?.textContent !== text, before);
  // The slices come in the order of their places, whatever the order of the files: each is brighter than the one before.
  const grey = async (n) => {
    await page.locator("input.frames").fill(String(n));
    await page.locator(`.viewer[data-place="${n}"]`).waitFor();
    await drawn(page);
    return page.evaluate(() => {
      const canvas = document.querySelector("canvas.viewer-canvas");
      const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
      const c = copy.getContext("2d");
      c.drawImage(canvas, 0, 0);
      return c.getImageData(Math.round(canvas.width / 2), Math.round(canvas.height / 2), 1, 1).data[0];
    });
  };
  await page.keyboard.press("r");
  const levels = [await grey(1), await grey(3), await grey(6)];
  check(levels[0] < levels[1] && levels[1] < levels[2], `the slices are out of order: ${levels}`);
  check((await page.locator(".strip button").count()) === 0, "a series of one stack needs no strip");
  await judge(page, "series");
}

async function playAFilm(page, data) {
  await openStudy(page, data.film.study_id);
  await page.locator(".frame-plot svg").waitFor();
  check((await place(page)) === "1 / 8", "a film begins at its first frame");
  await page.keyboard.press("n");
  await page.locator(".overlay-legend").getByText("deep aponeurosis").waitFor();
  const first = await page.locator(".frame-plot figcaption strong").innerText();
  await page.locator(".frame-plot svg").scrollIntoViewIfNeeded();
  const plot = await page.locator(".frame-plot svg").boundingBox();
  await page.mouse.click(plot.x + plot.width * 0.45, plot.y + plot.height / 2);
  await page.waitForFunction(() => !["1 / 8", ""].includes(document.querySelector(".stack-place")?.textContent ?? ""));
  await page.waitForFunction((text) => document.querySelector(".frame-plot figcaption strong")?.textContent !== text, first);
  await judge(page, "film");
  await page.locator("canvas").first().focus();
  await page.keyboard.press(" ");
  const was = await place(page);
  await page.waitForFunction((text) => document.querySelector(".stack-place")?.textContent !== text, was);
  await page.keyboard.press(" ");
  await page.locator(".cine button[aria-pressed=false]").waitFor();
  check((await page.getByText("The findings below, which you decide on, are of frame 1 of 8.").count()) === 1, "it is not said which frame the findings are of");
  check((await page.locator(".viewer-mark").innerText()) === "Not reviewed", "the picture is not marked as not reviewed");
  const undecided = await page.locator(".finding.unmeasured .decide").count();
  check(undecided === 0, "what was not measured asks for a decision");
}

// What is on the screen, as grey values.
const greys = (page, which = "canvas.viewer-canvas") => page.evaluate((selector) => {
  const canvas = document.querySelector(selector);
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const c = copy.getContext("2d");
  c.drawImage(canvas, 0, 0);
  return Array.from(c.getImageData(0, 0, copy.width, copy.height).data.filter((_, i) => i % 4 === 0));
}, which);

// Opened from a list, the picture does not wait for the facts of its study, nor either for the other's script; asked for once.
async function askAtOnce(browser, data) {
  const page = await open(browser);
  const study = data.knees[0].study_id;
  await page.goto(`${base}/#/?status=`);
  await page.locator(`.study-row[data-id="${study}"]`).waitFor();
  const asked = [];
  page.on("request", (r) => { if (/\/values/.test(r.url())) asked.push(new URL(r.url()).search); });
  const facts = `**/api/v1/studies/${study}`;
  let answered = "not yet";
  await page.route(facts, async (route) => {
    for (let i = 0; i < 600 && asked.length === 0; i++) await new Promise((done) => setTimeout(done, 100));
    answered = asked.join(" ");
    await route.continue();
  });
  await page.locator(`.study-row[data-id="${study}"] a`).click();
  await page.locator("canvas[data-loaded=full]").waitFor();
  check(answered === "?side_max_px=1024", `asked for before the facts of the study came: ${answered}`);
  check(asked.join(" ") === "?side_max_px=1024 ", `asked for to open a study: ${asked.join(", ")}`);
  await page.locator(".finding").first().waitFor(); // told after the picture
  await page.unroute(facts);
  await page.context().close();
}

// A large film begins with a reduced copy: in its place and size, with a note as long as it is there, and measured in the
// full picture's coordinates.
async function beginWithACopy(browser, data) {
  const page = await open(browser);
  const study = data.knees[0].study_id;
  const facts = (await call(data.petra, "GET", `/studies/${study}`)).json.images[0];
  check(facts.width_px === 2150 && facts.height_px === 1750, `the film is no large one: ${facts.width_px} x ${facts.height_px}`);
  const asked = [];
  page.on("request", (r) => { if (/\/values/.test(r.url())) asked.push(new URL(r.url()).search); });
  let release = () => undefined;
  const held = new Promise((done) => (release = done));
  await page.route(/\/values$/, async (route) => { await held; await route.continue(); });
  await openStudy(page, study);
  const note = page.locator(".viewer-note");
  await page.locator("canvas[data-loaded=reduced]").waitFor();
  check(/^Reduced copy/.test(await note.innerText()), "nothing tells that the picture is a reduced copy");
  const box = await page.locator("canvas.viewer-canvas").boundingBox();
  const fitted = Math.round(100 * Math.min(box.width / facts.width_px, box.height / facts.height_px));
  check(Number.parseInt(await info(page), 10) === fitted, `the copy is enlarged by ${await info(page)}, not by ${fitted} % of the full picture`);
  const drag = async (from, to) => {
    await page.mouse.move(box.x + from[0] * box.width, box.y + from[1] * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + to[0] * box.width, box.y + to[1] * box.height, { steps: 3 });
    await page.mouse.up();
    await drawn(page);
  };
  const measured = () => page.locator(".viewer-measured").first().innerText();
  await page.keyboard.press("m");
  await drag([0.3, 0.3], [0.6, 0.7]);
  const first = await measured();
  const [, amount, unit] = /Measured: ([\d.]+) (mm|px)/.exec(first) ?? [];
  const wanted = Math.hypot(0.3 * box.width * (facts.spacing.x_mm ?? 1), 0.4 * box.height * (facts.spacing.y_mm ?? 1)) / Math.min(box.width / facts.width_px, box.height / facts.height_px);
  check(unit !== undefined && Math.abs(Number(amount) - wanted) < 0.01 * wanted, `${first} on the copy, ${wanted} in the full picture`);
  // Enlarged beyond what it holds, the copy still says what it is.
  const view = await info(page);
  for (let i = 0; i < 6; i++) await page.keyboard.press("+");
  check(await becomes(page, async () => Number.parseInt(await info(page), 10) > 100) && await note.isVisible(), "an enlarged copy is not told");
  if (shots) await page.screenshot({ path: join(shots, "v-copy-enlarged.png") });
  await page.keyboard.press("r"); // fits again, and clears what was measured
  await drag([0.3, 0.3], [0.6, 0.7]);
  check((await info(page)) === view && (await measured()) === first, `measured again on the copy: ${await measured()}, was ${first}`);
  await judge(page, "copy");
  const before = await greys(page);
  release();
  await page.locator("canvas[data-loaded=full]").waitFor();
  check(await becomes(page, () => note.isHidden()), "the note stays over the full picture");
  await drawn(page);
  check((await measured()) === first, `${await measured()} in the full picture, ${first} on its copy`);
  check((await info(page)) === view, `the picture jumps from ${view} to ${await info(page)}`);
  const after = await greys(page);
  const apart = before.map((v, i) => Math.abs(v - after[i]));
  const mean = apart.reduce((a, b) => a + b, 0) / apart.length;
  check(before.length === after.length && mean < 1, `the picture on the screen changes by ${mean} of 255 on average`);
  check(apart.some((d) => d > 0), "the full picture is the copy");
  await drag([0.3, 0.3], [0.6, 0.7]);
  check((await measured()) === `${first}, ${first.slice("Measured: ".length)}`, `the same stroke measures ${await measured()}`);
  if (shots) await page.screenshot({ path: join(shots, "v-copy-replaced.png") });
  check(asked.join(" ") === "?side_max_px=1024 ", `asked for: ${asked.join(" ")}`);
  await page.unroute(/\/values$/);
  // Where the full picture does not come, the note stays and says so. (409: the one fault that this test lets pass.)
  const other = data.knees[1].study_id;
  await page.route(/\/values$/, (route) => route.fulfill({ status: 409, body: "" }));
  await openStudy(page, other);
  await page.locator(".viewer-note").getByText("could not be loaded").waitFor();
  check((await page.locator("canvas.viewer-canvas").getAttribute("data-loaded")) === "reduced", "a picture that did not come is taken for the full one");
  await page.context().close();
}

// Both visits begin with their copies; they, and a difference that was made from them, are replaced by the full pictures.
async function compareCopies(page, data) {
  const asked = [];
  const listen = (r) => { if (/\/values/.test(r.url())) asked.push(new URL(r.url()).search); };
  page.on("request", listen);
  let release = () => undefined;
  const held = new Promise((done) => (release = done));
  await page.route(/\/values$/, async (route) => { await held; await route.continue(); });
  await page.goto(`${base}/#/patients/${data.patient}`);
  await page.getByRole("link", { name: "Compare two visits" }).click();
  await page.getByText("What was checked").waitFor();
  check((await page.locator(".before canvas[data-loaded=reduced], .after canvas[data-loaded=reduced]").count()) === 2, "the two pictures do not begin with their copies");
  check((await page.locator(".viewer-note", { hasText: "Reduced copy" }).count()) === 2, "a copy in a comparison does not say what it is");
  const registered = await page.locator("[data-key='3']").isEnabled();
  if (registered) {
    await page.keyboard.press("3");
    await page.locator(".difference canvas[data-loaded]").waitFor();
    check(await page.locator(".difference .viewer-note").isVisible(), "a difference of copies does not say what it is made from");
    await drawn(page);
    if (shots) await page.screenshot({ path: join(shots, "v-difference-copies.png") });
  }
  const view = (await page.locator(".viewer-info").allInnerTexts()).at(-1);
  const rough = registered ? await greys(page, ".difference canvas") : [];
  release();
  for (const side of [".before", ".after"]) await page.locator(`${side} canvas[data-loaded=full]`).waitFor({ state: "attached" });
  check(await becomes(page, async () => (await page.locator(".viewer-note:visible").count()) === 0), "the note stays over full pictures that are compared");
  await drawn(page);
  if (registered) {
    const fine = await greys(page, ".difference canvas");
    const apart = rough.map((v, i) => Math.abs(v - fine[i]));
    check(apart.some((d) => d > 0) && apart.reduce((a, b) => a + b, 0) / apart.length < 6, `the difference of the full pictures is ${apart.reduce((a, b) => a + b, 0) / apart.length} of 255 from that of the copies`);
    check((await page.locator(".viewer-info").allInnerTexts()).at(-1) === view, "the difference jumps when it is made again");
    await page.keyboard.press("1");
  }
  check(asked.filter((q) => q === "?side_max_px=1024").length === 2 && asked.filter((q) => q === "").length === 2, `asked for to compare: ${asked}`);
  page.off("request", listen);
  await page.unroute(/\/values$/);
}

async function compareVisits(page, data) {
  await compareCopies(page, data);
  const text = await page.locator(".compare-results").innerText();
  if (/cannot be compared/.test(text)) check(/Refused:/.test(text), "a refusal without its reason");
  else {
    await page.locator(".compared tbody tr").first().waitFor();
    check(/no change beyond error|real change|real worsening|real improvement|cannot be told/.test(text), "no verdict");
    check(/miss each other by/.test(await page.locator(".registration").innerText()), "the residual of the registration is not told");
    await page.keyboard.press("o");
    await judge(page, "compare-side");
    // What moves one moves the other.
    const box = await page.locator(".before canvas").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const zoomBefore = (await page.locator(".viewer-info").first().innerText()).split(" ")[0];
    await page.mouse.wheel(0, -300);
    const zoomsNow = async () => (await page.locator(".viewer-info").allInnerTexts()).slice(0, 2).map((t) => t.split(" ")[0]);
    await becomes(page, async () => { const [a, b] = await zoomsNow(); return a === b && a !== zoomBefore; });
    const zooms = await zoomsNow();
    check(zooms[0] === zooms[1] && zooms[0] !== zoomBefore, `the pictures are not linked: ${zooms}, were ${zoomBefore}`);
    await page.keyboard.press("2");
    await page.locator(".mode-blink").waitFor();
    await page.keyboard.press(" ");
    const shown = await page.locator(".compare-stage").getAttribute("class");
    await page.keyboard.press(" ");
    check(shown !== (await page.locator(".compare-stage").getAttribute("class")), "space does not switch the pictures");
    await page.keyboard.press("3");
    await page.locator(".mode-difference .difference canvas[data-loaded]").waitFor();
    await judge(page, "compare-difference");
    await page.keyboard.press("t");
    check((await page.locator(".viewer-turned").allInnerTexts()).length === 3 && await page.locator(".difference .viewer-turned").isVisible(), "the pictures of a comparison are not turned together");
    await page.keyboard.press("2");
    await page.keyboard.press("3"); // made again: turned as the others are
    check(await page.locator(".difference .viewer-turned").isVisible(), "a difference that is made again is not turned as its pictures are");
    await page.keyboard.press("r");
    check((await page.locator(".viewer-turned:visible").count()) === 0, "reset leaves a picture of a comparison turned");
    await page.keyboard.press("1");
    const loose = await page.locator(".compared").first().innerText();
    await page.getByLabel("Same machine, view, position and distance at both visits").check();
    await page.waitForFunction((t) => document.querySelector(".compared")?.innerText !== t, loose);
  }
  // The wrong way round is refused, and says so; the pictures stay.
  const [before, after] = [page.getByLabel("Before", { exact: true }), page.getByLabel("After", { exact: true })];
  const values = [await before.inputValue(), await after.inputValue()];
  check(values[0] !== values[1], "one picture was suggested twice");
  await after.selectOption(values[0]);
  await page.getByText("Choose two different pictures.").waitFor();
}

// The grey values at these places of the picture (shares of its width and height), as it is fitted to the screen. `to`: where
// a place lies in the turned picture.
const greysAt = (page, size, places, isAcross, to) => page.evaluate(([{ width, height }, at]) => {
  const canvas = document.querySelector("canvas.viewer-canvas");
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const c = copy.getContext("2d");
  c.drawImage(canvas, 0, 0);
  const zoom = Math.min(copy.width / width, copy.height / height);
  const { data } = c.getImageData(0, 0, copy.width, copy.height);
  return at.map(([u, v]) => data[4 * (Math.round((copy.height - height * zoom) / 2 + v * height * zoom) * copy.width + Math.round((copy.width - width * zoom) / 2 + u * width * zoom))]);
}, [isAcross ? { width: size.height_px, height: size.width_px } : { width: size.width_px, height: size.height_px }, places.map(to)]);

// Turned and mirrored on the screen: the picture, what was measured in it, and the words over it; never what is stored.
async function turnAPicture(page, data) {
  const study = data.knees[0].study_id;
  const facts = (await call(data.petra, "GET", `/studies/${study}`)).json.images[0];
  await openStudy(page, study);
  await page.locator("canvas[data-loaded=full]").waitFor();
  const sent = [];
  const listen = (r) => { if (r.method() !== "GET") sent.push(`${r.method()} ${r.url()}`); };
  page.on("request", listen);
  const said = page.locator(".viewer-turned");
  check(await said.isHidden(), "a picture as it is stored is called turned");
  const places = Array.from({ length: 400 }, (_, i) => [0.03 + 0.94 * ((i * 0.618034) % 1), 0.03 + 0.94 * ((i * 0.754878) % 1)]);
  const apart = (a, b) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;
  const stored = await greysAt(page, facts, places, false, (p) => p);
  const expectTurned = async (words, isAcross, to, wrong, share = 0.6) => {
    await drawn(page);
    check((await said.innerText().catch(() => "")) === words, `the picture says '${await said.innerText().catch(() => "")}' instead of '${words}'`);
    const right = apart(stored, await greysAt(page, facts, places, isAcross, to)), other = apart(stored, await greysAt(page, facts, places, isAcross, wrong));
    check(right < 6 && right < share * other, `${words}: ${right.toFixed(1)} of 255 from the stored picture, ${other.toFixed(1)} the other way`);
  };
  await page.keyboard.press("m");
  const box = await page.locator("canvas.viewer-canvas").boundingBox();
  const stroke = async (from, to) => {
    await page.mouse.move(box.x + box.width / 2 + from[0], box.y + box.height / 2 + from[1]);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + to[0], box.y + box.height / 2 + to[1], { steps: 3 });
    await page.mouse.up();
    await drawn(page);
  };
  const measured = () => page.locator(".viewer-measured").first().innerText();
  await stroke([-60, -40], [30, 80]);
  const length = await measured();
  await page.keyboard.press("t");
  check((await measured()) === length, `turned, the line measures ${await measured()}, not ${length}`);
  if (shots) { await page.keyboard.press("o"); await page.keyboard.press("b"); await drawn(page); await page.screenshot({ path: join(shots, "v-turned.png") }); await page.keyboard.press("o"); await page.keyboard.press("b"); }
  await page.keyboard.press("r");
  await page.keyboard.press("t");
  await expectTurned("Turned 90° clockwise", true, ([u, v]) => [1 - v, u], ([u, v]) => [v, 1 - u]);
  // The same stroke over the same place of the picture, which lies turned and at another enlargement.
  const ratio = Math.min(box.width / facts.height_px, box.height / facts.width_px) / Math.min(box.width / facts.width_px, box.height / facts.height_px);
  await stroke([40 * ratio, -60 * ratio], [-80 * ratio, 30 * ratio]);
  const number = (text) => Number(/([\d.]+) (mm|px)/.exec(text)?.[1]);
  check(Math.abs(number(await measured()) - number(length)) < 0.02 * number(length), `measured in the turned picture: ${await measured()}, as stored: ${length}`);
  await page.keyboard.press("r");
  check(await said.isHidden(), "reset leaves the picture turned");
  await page.getByRole("button", { name: "Mirror" }).click();
  await expectTurned("Mirrored: left and right are changed", false, ([u, v]) => [1 - u, v], ([u, v]) => [u, v], 0.95); // two knees are much like their mirror image
  await page.getByRole("button", { name: /^Turn/ }).click();
  await expectTurned("Mirrored, then turned 90° clockwise", true, ([u, v]) => [1 - v, 1 - u], ([u, v]) => [v, u]);
  await judge(page, "turned-mirrored");
  await page.keyboard.press("t");
  await page.keyboard.press("v"); // mirrored, turned by 180°, mirrored again
  await expectTurned("Turned 180° clockwise", false, ([u, v]) => [1 - u, 1 - v], ([u, v]) => [u, v]);
  await page.keyboard.press("f"); // a joint stays a joint
  check(await becomes(page, async () => Number.parseInt(await info(page), 10) > 30), `the joint of a turned picture is shown at ${await info(page)}`);
  page.off("request", listen);
  check(sent.length === 0, `turning asked the server for something: ${sent}`);
  await openStudy(page, data.knees[1].study_id);
  await openStudy(page, study);
  check(await said.isHidden(), "the picture is still turned when it is opened again");
}

async function lookAtFractures(page, data) {
  const study = data.knees[0].study_id;
  const finding = (key, probability, x) => ({ key, label: key, code: null, probability, grading: null, measure: null, region: { x_px: x, y_px: 60, width_px: 70, height_px: 50 }, evidence: null, research_only: true });
  await page.route(`**/api/v1/studies/${study}`, async (route) => {
    const answer = await route.fetch();
    const json = await answer.json();
    const [result] = json.images[0].results;
    const { analysis } = result;
    const region = { ...analysis.regions[0], accepted: true, landmarks_px: [], joint_space_profile: null, explanation: null, notes: [], findings: [finding("fracture-1", 0.71, 40), finding("possible-fracture-2", 0.2, 180)] };
    await route.fulfill({ response: answer, json: { ...json, images: [{ ...json.images[0], results: [{ ...result, task: "fracture", analysis: { ...analysis, task: "fracture", regions: [region] } }] }] } });
  });
  await openStudy(page, study);
  await page.keyboard.press("b");
  const legend = await page.locator(".overlay-legend").innerText();
  check(/high specificity/.test(legend) && /high sensitivity/.test(legend), "the legend does not tell the two operating points apart");
  check(await page.locator("[data-key=o]").isHidden(), "an overlay without anything to show is offered");
  await judge(page, "fracture");
  await page.unroute(`**/api/v1/studies/${study}`);
}

async function keysAreListed(page) {
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keys" }).waitFor();
  for (const text of ["side by side, in turn, difference", "play or stop a stack", "enlarge the joint"]) check((await page.locator("dialog").getByText(text).count()) === 1, `the list of keys lacks: ${text}`);
  await judge(page, "keys");
  await page.keyboard.press("Escape");
}

// Fingers on a tablet: two enlarge, one works the tool; dark, dense screen.
async function touch(browser, data) {
  const page = await open(browser, { viewport: { width: 820, height: 1180 }, hasTouch: true, deviceScaleFactor: 2, colorScheme: "dark", bypassCSP: false });
  await openStudy(page, data.knees[0].study_id);
  const canvas = await page.evaluate(() => { const c = document.querySelector("canvas.viewer-canvas"); return { drawn: c.width, shown: c.getBoundingClientRect().width }; });
  check(Math.abs(canvas.drawn - 2 * canvas.shown) <= 2, `the picture is not as sharp as the screen: ${canvas.drawn} for ${canvas.shown}`);
  check((await page.evaluate(() => document.documentElement.dataset["theme"])) === "dark", "the system's dark theme is not taken");
  const box = await page.locator("canvas").first().boundingBox();
  const client = await page.context().newCDPSession(page);
  const at = (points) => points.map(([x, y], id) => ({ x: box.x + x, y: box.y + y, id }));
  const send = (type, points) => client.send("Input.dispatchTouchEvent", { type, touchPoints: at(points) });
  const zoom = async () => Number.parseInt(await info(page), 10);
  const small = await zoom();
  await send("touchStart", [[300, 300], [400, 300]]);
  for (let i = 1; i <= 5; i++) await send("touchMove", [[300 - 12 * i, 300], [400 + 12 * i, 300]]);
  await send("touchEnd", []);
  check(await becomes(page, async () => (await zoom()) > 1.5 * small), "two fingers do not enlarge");
  const level = await info(page);
  await send("touchStart", [[200, 200]]);
  for (let i = 1; i <= 5; i++) await send("touchMove", [[200 + 20 * i, 200 + 15 * i]]);
  await send("touchEnd", []);
  check(await becomes(page, async () => (await info(page)) !== level), "one finger does not change the window");
  if (shots) await page.screenshot({ path: join(shots, "v-tablet-dark.png"), fullPage: true });
}

const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const data = await fill();
  const page = await open(browser);
  await leafThroughASeries(page, data);
  await playAFilm(page, data);
  await askAtOnce(browser, data);
  await beginWithACopy(browser, data);
  await turnAPicture(page, data);
  await compareVisits(page, data);
  await lookAtFractures(page, data);
  await keysAreListed(page);
  await touch(browser, data);
} catch (error) {
  faults.push(`stopped: ${error.message}`);
  if (shots) for (const c of browser.contexts()) for (const [i, p] of c.pages().entries()) await p.screenshot({ path: join(shots, `v-99-stopped-${i}.png`) }).catch(() => undefined);
} finally {
  await browser.close();
}
for (const fault of [...new Set(faults)]) console.log(`FAILED: ${fault}`);
console.log(`${checks} checks in the browser, ${faults.length} failed`);
process.exit(faults.length === 0 ? 0 : 1);
