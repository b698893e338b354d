// What did not reach the archive, in a real browser: node archive.mjs URL WORK PORT [SHOTS]. WORK/state.json names the study that
// waits and the one that failed (tests/e2e/archive_page.py); storescp is started at PORT, and keeps what comes in WORK/kept.
// Exit 1 names what went wrong.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, work, port, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const studies = JSON.parse(readFileSync(join(work, "state.json"), "utf8"));
const faults = [];
let checks = 0;
let shotNo = 0;
const check = (ok, what) => {
  checks++;
  if (!ok) faults.push(what);
};

async function open(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1366, height: 820 }, bypassCSP: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(300000);
  page.on("pageerror", (e) => check(false, `script error: ${e.message}`));
  page.on("console", (m) => check(m.type() !== "error" || /status of 401/.test(m.text()), `console: ${m.text()}`));
  await page.goto(`${base}/#/sign-in`);
  await page.getByLabel("Sign-in name").fill(name);
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".user").waitFor();
  return page;
}

async function judge(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  check(violations.length === 0, `${name}: ${violations.map((v) => `${v.id} at ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`).join("; ")}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(over <= 0, `${name}: ${over} points wider than the screen`);
  if (shots) await page.screenshot({ path: join(shots, `archive-${String(++shotNo).padStart(2, "0")}-${name}.png`) });
}

const looks = [["light", {}], ["dark", { colorScheme: "dark" }], ["phone", { viewport: { width: 390, height: 844 }, hasTouch: true }], ["phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]];

// Both pages as everybody may see them.
async function inEveryLook(browser, moment) {
  for (const [look, options] of looks) {
    const admin = await open(browser, "admin", options);
    await admin.goto(`${base}/#/administration/archive`);
    await admin.locator(".outbox tbody tr").first().waitFor();
    await judge(admin, `${moment}-panel-${look}`);
    await admin.context().close();
    const petra = await open(browser, "petra", options);
    for (const which of ["film", "wrong"]) {
      await petra.goto(`${base}/#/studies/${studies[which]}`);
      await petra.locator(".in-archive").waitFor();
      await petra.locator("canvas[data-loaded]").waitFor();
      await judge(petra, `${moment}-${which}-${look}`);
    }
    await petra.context().close();
  }
}

async function startArchive() {
  mkdirSync(join(work, "kept"), { recursive: true });
  const archive = spawn("storescp", ["-od", join(work, "kept"), port], { stdio: "ignore" });
  for (const end = Date.now() + 300000; ; ) {
    const there = await new Promise((resolve) => {
      const socket = connect(Number(port), "127.0.0.1", () => { socket.destroy(); resolve(true); });
      socket.on("error", () => resolve(false));
    });
    if (there) return archive;
    if (Date.now() > end) throw new Error("storescp does not listen");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const fact = (page, name) => page.locator(".outbox-facts").evaluate((dl, n) => [...dl.querySelectorAll("dt")].find((t) => t.textContent === n)?.nextElementSibling?.textContent ?? "", name);

async function panel(page) {
  await page.goto(`${base}/#/administration/users`);
  await page.getByRole("link", { name: "Archive", exact: true }).click();
  const rows = page.locator(".outbox tbody tr");
  await rows.nth(1).waitFor();
  check((await fact(page, "Sent to")) === `PACS@127.0.0.1:${port}`, `where to: ${await fact(page, "Sent to")}`);
  check((await fact(page, "Last delivery")) === "none yet" && (await fact(page, "Failed")) === "1" && /^1, the oldest since \d{4}-/.test(await fact(page, "Waiting")), "the facts of the panel");
  check(/failed.*another patient/s.test(await rows.nth(0).innerText()), `what failed comes first: ${await rows.nth(0).innerText()}`);
  check(/waiting.*cannot be reached.*Tries: \d+\. Next try /s.test(await rows.nth(1).innerText()), `what waits: ${await rows.nth(1).innerText()}`);
  check(!(await page.locator("main").innerText()).includes("SECRET"), "a patient's name is in the panel");
}

async function notForOthers(page) {
  await page.goto(`${base}/#/administration/archive`);
  await page.locator("main h1").waitFor();
  check((await page.locator(".outbox").count()) === 0, "a clinician sees the administrator's panel");
  await page.goto(`${base}/#/studies/${studies.wrong}`);
  await page.getByText("Not in the archive: ask the administrator").waitFor();
  check((await page.locator(".in-archive a").count()) === 0, "a clinician is led to the administrator's panel");
  await page.goto(`${base}/#/studies/${studies.film}`);
  await page.getByText(/^Waiting for the archive since \d{4}-/).waitFor();
}

// By keyboard. It is tried again at once, and waits on.
async function tryInVain(page) {
  await page.getByRole("button", { name: /^Try again now: the report of / }).nth(1).press("Enter");
  await page.getByText("The server tries again now: 1.").waitFor();
  await page.locator(".outbox tbody tr").nth(1).getByText(/Tries: 1\. Next try at /).waitFor();
}

// The other page is open beside it, and learns by itself. It may have gone already: its own time had come.
async function tryAgain(page, clinician) {
  const waiting = page.locator(".outbox tbody tr").nth(1).getByRole("button", { name: "again now" });
  if ((await waiting.count()) > 0) await waiting.press("Enter", { timeout: 60000 }).catch(() => undefined);
  await clinician.getByText(/^In the archive since \d{4}-/).waitFor();
  await page.locator(".outbox tbody tr").nth(1).waitFor({ state: "detached" });
  await page.waitForFunction(() => /^\d{4}-/.test(document.querySelectorAll(".outbox-facts dd")[1].textContent));
  check((await fact(page, "Delivered")) === "1" && (await fact(page, "Waiting")) === "0", "the facts after the delivery");
  await page.getByLabel("Show").selectOption("sent");
  await page.getByText(new RegExp(`\\d objects to PACS@127.0.0.1:${port}`)).waitFor();
  check((await page.locator(".outbox button").count()) === 0, "what was delivered can be sent again");
  await judge(page, "delivered");
  await page.getByLabel("Show").selectOption("care");
}

async function giveUp(page, clinician) {
  const button = page.getByRole("button", { name: /^Give up the report of / });
  await button.press("Enter");
  const box = page.getByRole("dialog", { name: "Do not send this report" });
  await box.waitFor();
  await judge(page, "give-up");
  await page.keyboard.press("Escape");
  await box.waitFor({ state: "detached" });
  check(await button.evaluate((b) => b === document.activeElement), "the focus does not come back from the dialog");
  await button.press("Enter");
  await box.getByRole("button", { name: "Give up" }).press("Enter");
  await page.getByText("Nothing waits, nothing failed.").waitFor();
  check((await fact(page, "Failed")) === "0" && (await fact(page, "Not sent")) === "1", "the facts after giving up");
  check(await page.getByLabel("Show").evaluate((s) => s === document.activeElement), "the focus is lost after giving up");
  check(await page.getByRole("button", { name: "Try all again now" }).isDisabled(), "nothing can be tried again");
  await page.getByLabel("Show").selectOption("dropped");
  await page.getByText(/given up by an administrator; before: .*another patient/).waitFor();
  await clinician.goto(`${base}/#/studies/${studies.wrong}`);
  await clinician.getByText("Not sent to the archive").waitFor();
}

const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
let archive = null;
try {
  const admin = await open(browser, "admin");
  await panel(admin);
  const petra = await open(browser, "petra");
  await notForOthers(petra);
  if (shots) await inEveryLook(browser, "down");
  else {
    await judge(admin, "panel");
    await judge(petra, "study");
  }
  await tryInVain(admin);
  archive = await startArchive();
  await tryAgain(admin, petra);
  await judge(petra, "study-in-the-archive");
  await giveUp(admin, petra);
} catch (error) {
  faults.push(`stopped: ${error.message}`);
  if (shots) for (const c of browser.contexts()) for (const [i, p] of c.pages().entries()) await p.screenshot({ path: join(shots, `archive-99-stopped-${i}.png`) }).catch(() => undefined);
} finally {
  archive?.kill();
  await browser.close();
}
for (const fault of [...new Set(faults)]) console.log(`FAILED: ${fault}`);
console.log(`${checks} checks in the browser, ${faults.length} failed`);
process.exit(faults.length === 0 ? 0 : 1);
