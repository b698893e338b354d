// A day in the clinic, in a real browser: node clinic.mjs URL FOLDER [SHOTS]. FOLDER holds three DICOM phantoms. Every page
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
  page.setDefaultTimeout(120000);
  page.on("request", (r) => check(r.url().startsWith(`${base}/`) || r.url().startsWith(`blob:${base}/`), `a request left the origin: ${r.url()}`));
  page.on("pageerror", (e) => check(false, `script error: ${e.message}`));
  page.on("console", (m) => check(m.type() !== "error" || /status of (400|401|403|409|412|422)/.test(m.text()), `console: ${m.text()}`));
  return page;
}

// From the top: what the sticky head covers in the middle of a scroll is no target too small.
async function judge(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  check(violations.length === 0, `${name}: ${violations.map((v) => `${v.id} at ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`).join("; ")}`);
  if (shots) await page.screenshot({ path: join(shots, `${String(++shotNo).padStart(2, "0")}-${name}.png`) });
}

// As wide as a phone: nothing may stand outside of the screen, or the whole page moves sideways.
async function judgeOnPhone(page, name, inSight) {
  const before = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 844 });
  const wide = () => document.documentElement.scrollWidth <= innerWidth;
  await page.waitForFunction(wide).catch(() => check(false, `${name}: wider than a phone`));
  for (const one of inSight !== undefined ? await page.locator(inSight).all() : []) {
    const box = await one.boundingBox();
    check(box !== null && box.x >= 0 && box.x + box.width <= 390, `${name}: ${inSight} is not in sight`);
  }
  await judge(page, `${name}-phone`);
  await page.setViewportSize(before);
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
  await page.locator(".finding").first().waitFor({ timeout: 300000 });
  await page.locator("canvas[data-loaded]").waitFor();
}

// What is asked by name: by keyboard from the study, the result beside the first one, which stays to be reviewed.
async function askByName(page) {
  check(await page.locator(".results").innerText().then((t) => /Knee osteoarthritis/.test(t) && /chosen by the program/.test(t)), "it is not told which task gave the result");
  const before = await page.locator(".finding").count();
  await page.getByRole("button", { name: "Analyse again with" }).focus();
  await page.keyboard.press("Enter");
  const box = page.locator("dialog");
  const choice = box.getByLabel("Analyse as");
  const groups = await choice.locator("optgroup").evaluateAll((all) => all.map((g) => [g.label, [...g.children].map((o) => o.value)]));
  const apart = groups.find(([label]) => /^Research only/.test(label))?.[1] ?? [];
  check(apart.includes("fracture") && apart.includes("muscle-injury") && !apart.includes("knee-oa"), `what is for research stands not apart: ${JSON.stringify(groups)}`);
  check(groups.flat(2).every((v) => v !== "bone-density" && v !== "gate" && v !== "knee-mri"), "what cannot be asked for is offered");
  check(await choice.locator("option[value=fracture]").innerText().then((t) => t === "Fractures (research only)"), "a research recogniser is not marked");
  await judge(page, "ask-again");
  await choice.focus();
  await page.keyboard.type("Frac"); // a list is chosen from by its letters
  check((await choice.inputValue()) === "fracture", "the keyboard does not choose a task");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab"); // past Cancel
  await page.keyboard.press("Enter");
  await page.locator(".results [aria-pressed=true]").getByText("Fractures").waitFor({ timeout: 300000 });
  await page.locator(".results").getByText("asked for by name").waitFor();
  check((await page.locator(".results").getByText("research only").count()) === 1, "a research result is not marked");
  await judge(page, "study-fracture");
  await page.locator(".results button", { hasText: "Knee osteoarthritis" }).press("Enter");
  await page.locator(".results [aria-pressed=true]").getByText("Knee osteoarthritis").waitFor();
  check((await page.locator(".finding").count()) === before, "the first result is not what it was");
}

// A task that is chosen before the upload is what is asked; a program gets a clear text for one that cannot be.
async function uploadForATask(page, file) {
  await page.goto(`${base}/#/?status=`);
  await page.getByLabel("Analyse as").selectOption("muscle-us");
  await judge(page, "upload-task");
  await page.locator("#upload-files").setInputFiles(file);
  await page.locator(".uploads a").first().waitFor();
  const href = await page.locator(".uploads a").first().getAttribute("href");
  await page.goto(`${base}/${href}`);
  await page.locator(".results").getByText("Muscle architecture").waitFor({ timeout: 300000 });
  check(await page.locator(".side").innerText().then((t) => /an ultrasound image of a muscle .*is needed/.test(t)), "a film is measured as a muscle");
  check(await page.locator(".banner").innerText().then((t) => /found nothing that it could measure: there is nothing to decide on/.test(t)), "the banner over a result without findings");
  const answers = await page.evaluate(async () => {
    const { csrf } = await (await fetch("/api/v1/session")).json();
    const { items } = await (await fetch("/api/v1/studies?limit=1")).json();
    const ask = async (path, body) => { const r = await fetch(path, { method: "POST", headers: { "Content-Type": typeof body === "string" ? "application/octet-stream" : "application/json", "X-CSRF-Token": csrf }, body: typeof body === "string" ? body : JSON.stringify(body) }); return [r.status, (await r.json()).error?.message ?? ""]; };
    const image = items[0].first_image_id;
    return [await ask(`/api/v1/images/${image}/analysis`, { task: "fractures" }), await ask(`/api/v1/images/${image}/analysis`, { task: "bone-density" }), await ask("/api/v1/uploads?task=nonsense", "x")];
  });
  check(answers[0][0] === 400 && /there are: knee-oa/.test(answers[0][1]) && answers[1][0] === 422 && /switched off/.test(answers[1][1]) && answers[2][0] === 400, `tasks that cannot be asked for: ${JSON.stringify(answers)}`);
  await page.goto(`${base}/#/?status=`);
  await page.locator(".study-row", { hasText: "Muscle architecture" }).first().waitFor();
  check((await page.locator(".study-row", { hasText: "Knee osteoarthritis · Fractures" }).count()) === 1, "the worklist does not tell which tasks gave results");
}

// Asked by mistake: by keyboard alone, with a reason; page and report tell of it where its findings were.
async function setAside(page) {
  await page.locator(".study-row", { hasText: "Muscle architecture" }).first().getByRole("link").first().click();
  const open = page.getByRole("button", { name: "Asked by mistake" });
  await open.press("Enter");
  const box = page.getByRole("dialog", { name: "Set this result aside: Muscle architecture" });
  await box.waitFor();
  await judge(page, "set-aside");
  await page.keyboard.press("Escape");
  await box.waitFor({ state: "detached" });
  check(await open.evaluate((b) => b === document.activeElement), "the focus does not come back from the dialog of what was asked by mistake");
  await open.press("Enter");
  await box.getByRole("button", { name: "Set aside" }).press("Enter"); // without a reason: the browser refuses
  check(await box.isVisible(), "a result was set aside without a reason");
  await box.getByLabel("Reason").focus();
  await page.keyboard.type("A film, <b>not</b> ultrasound");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab"); // past Cancel
  await page.keyboard.press("Enter");
  const line = page.locator(".set-aside");
  await line.waitFor();
  check(await line.innerText().then((t) => /^Muscle architecture: asked for by name, .*; set aside by Petra Physio, .*A film, <b>not<\/b> ultrasound/.test(t)), `the line of what was set aside: ${await line.innerText()}`);
  check(await line.evaluate((p) => p === document.activeElement), "the focus is lost after setting aside");
  await page.getByText("No result stands: what was asked for").waitFor();
  check(await page.locator(".banner").innerText().then((t) => /No result stands: there is nothing to decide on/.test(t) && !/decided/.test(t)), `the banner when all was set aside: ${await page.locator(".banner").innerText()}`);
  check((await open.count()) === 0 && (await page.getByRole("button", { name: "Analyse again with" }).count()) === 1, "what can be done after setting aside");
  await judge(page, "study-set-aside");
  const [pdf] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Report (PDF)" }).first().click()]);
  check(readFileSync(await pdf.path()).subarray(0, 5).toString() === "%PDF-", "the report with what was set aside is no PDF");
  if (shots) await pdf.saveAs(join(shots, "set-aside.pdf"));
}

async function acceptAll(page) {
  for (let left = await page.locator(".finding.undecided").count(); left > 0; left--) {
    await page.keyboard.press("a");
    await page.waitForFunction((n) => document.querySelectorAll(".finding.undecided").length < n, left);
  }
}

async function review(page) {
  const sign = page.getByRole("button", { name: "Sign", exact: true });
  check(await page.locator(".banner").innerText().then((t) => t.includes("Not reviewed")), "the banner before the signature");
  check(await page.locator(".scale").innerText().then((t) => /^Millimetres: .+\. ± is the 95 % error/.test(t)), "where the millimetres come from is not said");
  await judgeOnPhone(page, "study", ".finding .value");
  check(await sign.isDisabled(), "an undecided study can be signed");
  await page.locator(".finding").first().focus();
  await page.keyboard.press("x");
  await page.getByLabel("Reason").fill("Osteophytes say more than the network");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".finding.decided").first().waitFor();
  await acceptAll(page); // the next undecided one has the focus
  const others = page.locator(".results .tabs button", { hasText: "to decide" });
  check((await others.count()) > 0 === await sign.isDisabled(), "the open findings of another task and the button to sign do not fit");
  while ((await others.count()) > 0) {
    await others.first().click();
    await page.locator(".finding.undecided").first().focus();
    await acceptAll(page);
  }
  check(await page.locator(".banner").innerText().then((t) => t.includes("Every finding is decided")), "the banner when all is decided");
  await judge(page, "study-reviewed");
  await sign.click();
  await page.getByLabel("Comment for the report").fill("Seen");
  await page.locator("dialog").getByRole("button", { name: "Sign", exact: true }).click();
  await page.getByText("Signed by Petra Physio").waitFor();
  check((await page.locator(".decide").count()) === 0, "a signed study can be changed");
  const [pdf] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Report (PDF)" }).first().click()]);
  check(readFileSync(await pdf.path()).subarray(0, 5).toString() === "%PDF-", "the report is no PDF");
  const [zip] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download for the archive" }).click()]);
  const objects = readFileSync(await zip.path());
  check(zip.suggestedFilename().startsWith("archive-") && objects.subarray(0, 2).toString() === "PK" && objects.includes("results.dcm") && objects.includes("report.dcm") && objects.includes("picture-1-1.dcm") && objects.includes("overlay-1-1.dcm"), "what is downloaded for the archive");
  if (shots) await zip.saveAs(join(shots, "archive.zip"));
}

async function lookAround(page) {
  for (const key of ["h", "l", "o", "b", "i", "m"]) await page.keyboard.press(key);
  await page.locator("[data-key=h][aria-pressed=true]").waitFor();
  const box = await page.locator("canvas").first().boundingBox();
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 220, box.y + 160);
  await page.mouse.up();
  await page.evaluate(async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); }); // until it is painted
  await judge(page, "study-overlays");
}

async function compare(page) {
  await page.keyboard.press("c");
  await page.locator(".compare-stage canvas[data-loaded]").nth(1).waitFor();
  await page.getByText("What was checked").waitFor();
  await judge(page, "compare");
  await judgeOnPhone(page, "compare", ".compared .verdict");
}

async function readPages(page) {
  await page.goto(`${base}/#/`);
  await page.getByRole("button", { name: /^All/ }).click();
  await page.locator(".study-row").nth(1).waitFor();
  await judge(page, "worklist");
  await page.keyboard.press("j");
  check(await page.evaluate(() => document.activeElement?.closest(".study-row") !== null), "j moves to the first row");
  await page.goto(`${base}/#/patients`);
  await page.getByRole("heading", { name: "Patients" }).waitFor(); // until then the worklist stands there, which has links of that name too
  await page.getByRole("link", { name: "P-0001" }).click();
  await page.locator(".chart canvas").first().waitFor();
  await judge(page, "patient");
  await judgeOnPhone(page, "patient", ".task-choice select");
  await page.goto(`${base}/#/models`);
  await page.locator(".cards a").first().click();
  await page.getByRole("heading", { name: "Intended use" }).waitFor();
  await judge(page, "model");
}

// Opens the reasons by key, and the page again where a dialog has stored a version.
async function scores(page, patient) {
  await page.goto(`${patient}/scores`);
  await page.getByRole("button", { name: "Add a score" }).click();
  const box = page.locator("dialog");
  await box.getByLabel("Instrument").selectOption("koos-pain");
  await box.getByLabel("Value (points)").fill("40");
  await box.getByLabel("Date").fill("2026-01-15");
  await judge(page, "score-form");
  await box.getByRole("button", { name: "Save" }).click();
  await page.locator(".series").waitFor();
  await page.getByRole("button", { name: "Add a score" }).click();
  await box.getByLabel("Instrument").selectOption("koos-pain");
  await box.getByText("Count it from the answers instead").click();
  for (let i = 1; i <= 9; i++) await box.getByLabel(`Answer ${i}`, { exact: true }).selectOption(i === 9 ? "" : "0"); // one is missing
  await box.getByLabel("Date").fill("2026-02-15");
  await box.getByRole("button", { name: "Save" }).click();
  await page.getByText("real improvement").first().waitFor();
  check(await page.locator(".series").innerText().then((t) => t.includes("+60 points") && t.includes("large enough to matter")), "the judgement of the series");
  await page.getByRole("button", { name: "Add a score" }).click();
  await box.getByLabel("Instrument").selectOption("other");
  await box.getByLabel("Name of the instrument").fill("KOOS pain");
  await box.getByLabel("Value", { exact: true }).fill("1");
  await box.getByRole("button", { name: "Save" }).click();
  await box.getByText(/choose koos-pain itself/).waitFor();
  await box.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: /^Withdraw KOOS pain of 2026-01-15/ }).click();
  await box.getByLabel("Reason").fill("Wrong patient");
  await box.getByRole("button", { name: "Withdraw" }).click();
  await page.getByText("withdrawn: Wrong patient").waitFor();
  check((await page.locator("tr.withdrawn").count()) === 1, "a withdrawn score is not shown");
  await judge(page, "scores");
  await judgeOnPhone(page, "scores");
}

async function makePlan(page, patient) {
  await page.goto(`${patient}/plan`);
  await page.getByRole("link", { name: "Make a plan" }).click();
  await page.getByLabel("Condition").selectOption("knee-oa");
  await page.getByLabel("Side", { exact: true }).selectOption("right");
  check(await page.getByLabel(/^Sex/).inputValue().then((v) => v === ""), "a fact nobody stated is filled in");
  check(await page.getByLabel(/^Age/).inputValue().then((v) => Number(v) > 60), "the age is not taken from the year of birth");
  check(await page.locator("[data-fact=koos_pain]").innerText().then((t) => t.includes("last: 100")), "the score is not shown beside its field");
  check((await page.locator("[data-fact=odi]").isVisible()) === false, "a fact of another condition is asked");
  await judge(page, "plan-form");
  await page.getByLabel(/^Pain in activity/).fill("6");
  await page.getByLabel(/^Pain at rest/).fill("2");
  await page.getByRole("button", { name: "Make the plan" }).click();
  await page.getByText("safety questions open").first().waitFor();
  check(await page.getByRole("button", { name: "Confirm the plan" }).isDisabled(), "a plan with open safety questions can be confirmed");
  await judge(page, "plan-ask-first");
  await page.getByRole("link", { name: "Answer in the form and make the plan again" }).click();
  await page.getByRole("button", { name: "All others were asked and are absent" }).click();
  await page.locator("[data-section=comorbidity] select").first().waitFor();
  for (const select of await page.locator("[data-section=comorbidity] select").all()) await select.selectOption("false");
  await page.getByLabel(/^Pain in activity/).fill("6");
  await page.getByLabel(/^Swelling/).selectOption("mild");
  await page.getByLabel(/^Falls/).fill("0");
  await page.getByLabel("Activity 1").fill("Stairs without the rail");
  await page.getByLabel("Now, 0 to 10").first().fill("4");
  await page.getByRole("button", { name: "Make the plan" }).click();
  await page.getByText("ready for review").first().waitFor();
  check(await page.locator(".plan").innerText().then((t) => t.includes("Changed since the last plan")), "what changed is not told");
}

// What the image showed stands beside its field and goes to the rules, but is no fact that somebody stated.
async function factsOfImages(page, patient) {
  await page.goto(`${patient}/plan/new`);
  const grade = page.locator("[data-fact=kl_grade]");
  await grade.waitFor();
  check(await grade.innerText().then((t) => /on the image of .*leave empty/.test(t)), "the grade of the image is not shown");
  check((await grade.locator("input").inputValue()) === "", "the grade of the image is filled in as if somebody had stated it");
}

async function workOnPlan(page, patient) {
  await page.keyboard.press("y");
  await page.locator(".phase details.why[open]").first().waitFor();
  check(await page.locator(".phase details.why[open]").first().innerText().then((t) => /Because|Source/.test(t)), "the reason of a line");
  await judge(page, "plan");
  const first = page.locator(".exercise").first();
  const title = await first.locator("h4").innerText();
  await first.getByRole("button", { name: `Edit: ${title}` }).click();
  const box = page.locator("dialog");
  await box.getByLabel("Sets").fill("3");
  await box.getByRole("button", { name: "Save" }).click(); // without a reason: the browser refuses
  check(await box.isVisible(), "an edit without a reason was taken");
  await box.getByLabel("Reason for the change").fill("Likes it harder");
  await judge(page, "plan-edit");
  await box.getByRole("button", { name: "Save" }).click();
  await page.locator(".exercise.is-edited").waitFor();
  await page.getByRole("button", { name: "Add advice" }).click();
  await box.getByLabel("In your words").fill("Call on Monday");
  await box.getByLabel("Reason for the change").fill("Worried");
  await box.getByRole("button", { name: "Save" }).click();
  await page.getByText("Call on Monday").waitFor();
  const pdf = async (name) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name, exact: true }).click()]);
    return readFileSync(await file.path()).subarray(0, 5).toString() === "%PDF-";
  };
  check(await pdf("PDF"), "the plan is no PDF");
  await page.getByRole("button", { name: "Confirm the plan" }).click();
  await box.getByRole("button", { name: "Confirm the plan" }).click();
  await page.getByText("Confirmed by Petra Physio").waitFor();
  check(await pdf("Patient's page (PDF)"), "the patient's page is no PDF");
  await judge(page, "plan-confirmed");
  await page.getByText(/^Versions \(/).click();
  await page.getByRole("link", { name: "Plan, version 1", exact: true }).click();
  await page.getByText("This is version 1 of").waitFor();
  check((await page.getByRole("button", { name: /^Edit: / }).count()) === 0, "an old version can be edited");
  await page.goto(`${patient}/plan`);
}

async function predict(page, patient) {
  await page.goto(`${patient}/outcome`);
  await page.getByRole("link", { name: "Oxford Knee Score after knee replacement" }).click();
  await page.getByLabel("Procedure").selectOption("primary");
  await judge(page, "prediction-form");
  await page.getByLabel("Age band").selectOption("10 to 19");
  await page.getByLabel("Sex").selectOption("female");
  await page.getByRole("button", { name: "All others: no" }).click();
  for (const select of await page.locator("form select").all()) {
    if ((await select.inputValue()) === "") await select.selectOption({ index: 2 });
  }
  await page.getByLabel("EQ VAS").fill("60");
  await page.getByRole("button", { name: "Predict" }).click();
  await page.getByText("Refused:").waitFor();
  check(await page.locator("[role=alert]").innerText().then((t) => t.includes("outside the range")), "a refusal without its reason");
  await page.getByLabel("Age band").selectOption("60 to 69");
  await page.getByRole("button", { name: "Predict" }).click();
  await page.locator(".prediction svg.spread").waitFor();
  check(await page.locator(".prediction").innerText().then((t) => /5 in 10 .*between \d+ and \d+/.test(t) && t.includes("Plain mean") && t.includes("What drives it")), "the words of a prediction");
  await judge(page, "prediction");
}

async function administer(page) {
  await signIn(page, "ada");
  await page.goto(`${base}/#/administration/audit`);
  await page.getByRole("cell", { name: "study" }).first().waitFor();
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await page.getByText(/^Intact/).waitFor();
  await judge(page, "audit");
  const seen = await page.evaluate(async () => (await (await fetch("/api/v1/audit?action=image.see&limit=200")).json()).items);
  check(seen.length > 0 && seen.every((e) => e.entity === "image" && e.entity_id !== null), `which image was seen: ${JSON.stringify(seen.find((e) => e.entity !== "image"))}`);
  await page.goto(`${base}/#/administration/backup`);
  await page.getByRole("button", { name: "Make a backup" }).click();
  await page.getByText(/^Done/).waitFor();
  await judge(page, "backup");
  await page.goto(`${base}/#/account`);
  await judge(page, "account");
}

// A laptop and a tablet, light and dark: nothing is wider than the screen, the head of the page is one line.
async function fitsScreens(browser, study, patient) {
  const pages = [["worklist", "#/?status=", ".study-row"], ["study", study, ".finding"], ["patient", patient, ".chart canvas"], ["scores", `${patient}/scores`, ".series"], ["plan", `${patient}/plan`, ".phase"], ["compare", patient.replace("#/patients/", "#/compare/"), "h1"], ["models", "#/models", ".cards a"], ["audit", "#/administration/audit", "tbody tr"]];
  for (const [look, options] of [["laptop", { viewport: { width: 1366, height: 768 }, colorScheme: "dark" }], ["tablet", { viewport: { width: 810, height: 1080 }, hasTouch: true }]]) {
    for (const name of ["petra", "ada"]) {
      const page = await open(browser, options);
      await signIn(page, name);
      for (const [what, address, wait] of pages.filter(([p]) => (p === "audit") === (name === "ada"))) {
        await page.goto(`${base}/${address}`);
        await page.locator(wait).first().waitFor();
        const { over, head } = await page.evaluate(() => ({ over: document.documentElement.scrollWidth - document.documentElement.clientWidth, head: document.querySelector(".top").getBoundingClientRect().height }));
        check(over <= 0 && head < 64, `${what} on a ${look}: ${over} points wider than the screen, its head ${head} high`);
        await judge(page, `${what}-${look}`);
      }
      await page.context().close();
    }
  }
}

// By the keyboard alone: the wrong pseudonym is refused and changes nothing, Escape leaves, the right one erases for good.
async function erase(page, patient, clinician) {
  await clinician.goto(patient);
  await clinician.locator(".patient h1").waitFor();
  check((await clinician.getByRole("button", { name: "Erase patient" }).count()) === 0, "a clinician is offered to erase");
  await signIn(page, "ada");
  await page.goto(patient);
  const open = page.getByRole("button", { name: "Erase patient" });
  await open.press("Enter");
  const box = page.getByRole("dialog", { name: "Erase patient P-0001" });
  await box.waitFor();
  await judge(page, "erase");
  await page.keyboard.press("Escape");
  await box.waitFor({ state: "detached" });
  check(await open.evaluate((b) => b === document.activeElement), "the focus does not come back from the dialog");
  await open.press("Enter");
  await box.getByLabel("Reason").selectOption("The patient asks for it");
  await box.getByLabel("Pseudonym, typed again").fill("P-0002");
  await page.keyboard.press("Enter");
  await box.getByText(/nothing was erased/).waitFor();
  await judge(page, "erase-refused");
  await box.getByLabel("Pseudonym, typed again").fill("P-0001");
  await page.keyboard.press("Enter");
  await page.getByText(/P-0001 is erased.*backups still hold/).waitFor();
  await page.getByRole("heading", { name: "Patients" }).waitFor();
  check((await page.getByRole("link", { name: "P-0001" }).count()) === 0, "an erased patient is in the list");
}

// Without any bypass: the policy as clinics meet it, dark, on a tablet.
async function underThePolicy(browser, study, patient) {
  const page = await open(browser, { bypassCSP: false, colorScheme: "dark", viewport: { width: 820, height: 1180 } });
  await signIn(page, "petra");
  await page.goto(`${base}/${study}`);
  await page.locator("canvas[data-loaded]").waitFor();
  const timing = await page.evaluate(() => performance.getEntriesByType("paint").map((e) => `${e.name} ${Math.round(e.startTime)} ms`).join(", "));
  console.log(`paint: ${timing}`);
  if (shots) await page.screenshot({ path: join(shots, "20-tablet-dark.png") });
  for (const part of ["scores", "plan", "outcome"]) {
    await page.goto(`${patient}/${part}`);
    await page.locator(".patient h2").first().waitFor();
    check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${part} is wider than a tablet`);
    if (shots) await page.screenshot({ path: join(shots, `21-tablet-${part}.png`) });
  }
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
  await page.locator("#upload-task option[value=fracture]").waitFor({ state: "attached" });
  check((await page.getByLabel("Analyse as").inputValue()) === "", "a task is chosen that nobody chose");
  await judge(page, "worklist-empty");
  await addPatient(page);
  const patient = page.url();
  await uploadAndOpen(page, files[0]);
  const study = new URL(page.url()).hash;
  await judge(page, "study");
  await askByName(page);
  await review(page);
  await uploadForATask(page, files[2]);
  await setAside(page);
  await page.goto(patient);
  await page.getByRole("button", { name: "Edit patient" }).waitFor(); // the worklist has a place for files too
  await uploadAndOpen(page, files[1]);
  await lookAround(page);
  await compare(page);
  await readPages(page);
  await scores(page, patient);
  await makePlan(page, patient);
  await workOnPlan(page, patient);
  await factsOfImages(page, patient);
  await predict(page, patient);
  await administer(await open(browser));
  await underThePolicy(browser, study, patient);
  await fitsScreens(browser, study, new URL(patient).hash);
  await erase(await open(browser), patient, page);
} catch (error) {
  faults.push(`stopped: ${error.message}`);
  if (shots) for (const c of browser.contexts()) for (const [i, p] of c.pages().entries()) await p.screenshot({ path: join(shots, `99-stopped-${i}.png`) }).catch(() => undefined);
} finally {
  await browser.close();
}
for (const fault of [...new Set(faults)]) console.log(`FAILED: ${fault}`);
console.log(`${checks} checks in the browser, ${faults.length} failed`);
process.exit(faults.length === 0 ? 0 : 1);
