// A day in the clinic, in a real browser: node clinic.mjs URL FOLDER [SHOTS]. FOLDER holds two DICOM phantoms. Every page
// is judged by axe-core; no request may leave the origin; no script may fail. Exit 1 names what went wrong.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, folder, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const password = "a long sentence for tests";
const faults = [];
let checks = 0;
let shotNo = 0;
const check = (ok, what) => {
  checks++;
  if (!ok) faults.push(what);
};

// bypassCSP is for axe alone, which is put into the page; a second context runs without it.
async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1366, height: 820 }, bypassCSP: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("request", (r) => check(r.url().startsWith(`${base}/`) || r.url().startsWith(`blob:${base}/`), `a request left the origin: ${r.url()}`));
  page.on("pageerror", (e) => check(false, `script error: ${e.message}`));
  page.on("console", (m) => check(m.type() !== "error" || /status of (401|403|409|412)/.test(m.text()), `console: ${m.text()}`));
  return page;
}

async function judge(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  check(violations.length === 0, `${name}: ${violations.map((v) => `${v.id} at ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`).join("; ")}`);
  if (shots) await page.screenshot({ path: join(shots, `${String(++shotNo).padStart(2, "0")}-${name}.png`) });
}

async function signIn(page, name) {
  await page.goto(`${base}/#/sign-in`);
  await page.getByLabel("Sign-in name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".user").waitFor();
}

async function setUp(page) {
  await page.goto(base);
  await page.getByRole("heading", { name: "Set up this clinic" }).waitFor();
  await judge(page, "setup");
  await page.getByLabel("Name of the clinic").fill("Test clinic");
  await page.getByLabel("Name, as it stands under reports").fill("Ada Admin");
  await page.getByLabel("Sign-in name").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByLabel("Password again").fill(password);
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("heading", { name: "Worklist" }).waitFor();
  await page.goto(`${base}/#/administration/users`);
  await page.getByRole("button", { name: "New user" }).click();
  await page.getByLabel("Sign-in name").fill("petra");
  await page.getByLabel("Name, as it stands under reports").fill("Petra Physio");
  await page.getByLabel("Role").selectOption("physiotherapist");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "Petra Physio", exact: true }).waitFor();
  await judge(page, "users");
}

// The name must not appear in any log: the script that called us looks.
async function addPatient(page) {
  await page.goto(`${base}/#/patients`);
  await page.getByRole("button", { name: "New patient" }).click();
  await page.getByLabel("Pseudonym").fill("P-0001");
  await page.getByLabel("Name", { exact: true }).fill("ZZSECRET Zoe");
  await page.getByLabel("Year of birth").fill("1957");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "P-0001" }).waitFor();
}

async function uploadAndOpen(page, file) {
  const links = page.locator(".uploads a");
  const before = await links.count();
  await page.locator("#upload-files").setInputFiles(file);
  await links.nth(before).waitFor();
  const href = await links.nth(before).getAttribute("href");
  await page.goto(`${base}/${href}`);
  await page.locator(".finding").first().waitFor({ timeout: 60000 });
  await page.locator("canvas[data-loaded]").waitFor();
}

async function review(page) {
  const sign = page.getByRole("button", { name: "Sign", exact: true });
  check(await page.locator(".banner").innerText().then((t) => t.includes("Not reviewed")), "the banner before the signature");
  check(await sign.isDisabled(), "an undecided study can be signed");
  await page.locator(".finding").first().focus();
  await page.keyboard.press("x");
  await page.getByLabel("Reason").fill("Osteophytes say more than the network");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".finding.decided").first().waitFor();
  for (let left = await page.locator(".finding.undecided").count(); left > 0; left--) {
    await page.keyboard.press("a"); // the next undecided one has the focus
    await page.waitForFunction((n) => document.querySelectorAll(".finding.undecided").length < n, left);
  }
  await judge(page, "study-reviewed");
  await sign.click();
  await page.getByLabel("Comment for the report").fill("Seen");
  await page.locator("dialog").getByRole("button", { name: "Sign", exact: true }).click();
  await page.getByText("Signed by Petra Physio").waitFor();
  check((await page.locator(".decide").count()) === 0, "a signed study can be changed");
  const [pdf] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Report (PDF)" }).first().click()]);
  check(readFileSync(await pdf.path()).subarray(0, 5).toString() === "%PDF-", "the report is no PDF");
}

async function lookAround(page) {
  for (const key of ["h", "l", "o", "b", "i", "m"]) await page.keyboard.press(key);
  await page.locator("[data-key=h][aria-pressed=true]").waitFor();
  const box = await page.locator("canvas").first().boundingBox();
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 220, box.y + 160);
  await page.mouse.up();
  await page.waitForTimeout(400);
  await judge(page, "study-overlays");
}

async function compare(page) {
  await page.keyboard.press("c");
  await page.locator("dialog .choices button").first().click();
  await page.locator(".stage.two canvas[data-loaded]").nth(1).waitFor();
  await page.waitForTimeout(300);
  await judge(page, "study-compare");
}

async function readPages(page) {
  await page.goto(`${base}/#/`);
  await page.getByRole("button", { name: /^All/ }).click();
  await page.locator(".study-row").nth(1).waitFor();
  await judge(page, "worklist");
  await page.keyboard.press("j");
  check(await page.evaluate(() => document.activeElement?.closest(".study-row") !== null), "j moves to the first row");
  await page.goto(`${base}/#/patients`);
  await page.getByRole("link", { name: "P-0001" }).click();
  await page.locator(".chart canvas").first().waitFor();
  await judge(page, "patient");
  await page.goto(`${base}/#/models`);
  await page.locator(".cards a").first().click();
  await page.getByRole("heading", { name: "Intended use" }).waitFor();
  await judge(page, "model");
}

async function administer(page) {
  await signIn(page, "ada");
  await page.goto(`${base}/#/administration/audit`);
  await page.getByRole("cell", { name: "study" }).first().waitFor();
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await page.getByText(/^Intact/).waitFor();
  await judge(page, "audit");
  await page.goto(`${base}/#/administration/backup`);
  await page.getByRole("button", { name: "Make a backup" }).click();
  await page.getByText(/^Done/).waitFor();
  await judge(page, "backup");
  await page.goto(`${base}/#/account`);
  await judge(page, "account");
}

// Without any bypass: the policy as clinics meet it, dark, on a tablet.
async function underThePolicy(browser, study) {
  const page = await open(browser, { bypassCSP: false, colorScheme: "dark", viewport: { width: 820, height: 1180 } });
  await signIn(page, "petra");
  await page.goto(`${base}/${study}`);
  await page.locator("canvas[data-loaded]").waitFor();
  const timing = await page.evaluate(() => performance.getEntriesByType("paint").map((e) => `${e.name} ${Math.round(e.startTime)} ms`).join(", "));
  console.log(`paint: ${timing}`);
  if (shots) await page.screenshot({ path: join(shots, "20-tablet-dark.png") });
  const answer = await page.evaluate(async () => {
    const r = await fetch("/api/v1/patients", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    return r.status;
  });
  check(answer === 403, `a change without the CSRF token was answered ${answer}`);
  check((await page.evaluate(() => document.cookie)) === "", "a script can read the session cookie");
}

async function headers() {
  const page = await fetch(base);
  const policy = page.headers.get("content-security-policy") ?? "";
  check(/default-src 'none'/.test(policy) && !/unsafe/.test(policy) && /frame-ancestors 'none'/.test(policy), `policy: ${policy}`);
  check(page.headers.get("x-content-type-options") === "nosniff", "nosniff is missing");
  check(page.headers.get("referrer-policy") === "no-referrer", "the referrer policy is missing");
  const api = await fetch(`${base}/api/v1/studies`);
  check(api.status === 401 && (await api.json()).error.hint.length > 0, "an error has no hint");
  check(api.headers.get("cache-control") === "no-store", "an error may be cached");
  check(/^[0-9a-f]{16}$/.test(api.headers.get("x-request-id") ?? ""), "the request has no number");
}

const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const files = readdirSync(folder).filter((f) => f.endsWith(".dcm")).sort().map((f) => join(folder, f));
  await headers();
  const admin = await open(browser);
  await setUp(admin);
  const page = await open(browser);
  await signIn(page, "petra");
  await judge(page, "worklist-empty");
  await addPatient(page);
  const patient = page.url();
  await uploadAndOpen(page, files[0]);
  const study = new URL(page.url()).hash;
  await judge(page, "study");
  await review(page);
  await page.goto(patient);
  await uploadAndOpen(page, files[1]);
  await lookAround(page);
  await compare(page);
  await readPages(page);
  await administer(await open(browser));
  await underThePolicy(browser, study);
} catch (error) {
  faults.push(`stopped: ${error.message}`);
  if (shots) for (const c of browser.contexts()) for (const [i, p] of c.pages().entries()) await p.screenshot({ path: join(shots, `99-stopped-${i}.png`) }).catch(() => undefined);
} finally {
  await browser.close();
}
for (const fault of [...new Set(faults)]) console.log(`FAILED: ${fault}`);
console.log(`${checks} checks in the browser, ${faults.length} failed`);
process.exit(faults.length === 0 ? 0 : 1);
