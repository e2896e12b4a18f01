// What a shopper does, done by a browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { browser, open } from "./browser.mjs";

const [url, shop, shots] = process.argv.slice(2);
const page = await open();
const { titles, settled } = page;
const status = () => page.textContent("#status");
const chips = () => page.locator("#chips li button:not(.clear)").allTextContents();
const bytes = readFileSync(`${shop}/images/0005.jpg`).toString("base64");

// The first view: products before anything is asked, skeletons before those, examples from the table.
let release;
const held = new Promise((go) => { release = go; });
await page.route("**/rows?*", async (route) => { await held; await route.continue(); });
await page.goto(url);
await page.waitForSelector(".skeleton");
assert.equal(await page.locator(".skeleton").count(), 12);
assert.equal(await page.getAttribute("#results", "aria-busy"), "true");
release();
await settled();
await page.unroute("**/rows?*");
assert.equal(await page.locator(".skeleton").count(), 0);
assert.match(await status(), /340 products, newest first/);
assert.equal((await titles()).length, 24);
await page.waitForSelector("#example-list button");
await page.waitForSelector("#facets fieldset");
await page.screenshot({ path: `${shots}/first.png` });
const example = await page.locator("#example-list button").first().textContent();
const facets = (await (await fetch(`${url}/facets`)).json()).facets;
const values = new Set(facets.flatMap((f) => (f.values || []).map((v) => v.value)));
assert.ok(example.split(" ").every((word) => values.has(word)), `${example} is not from the table`);
await page.locator("#example-list button").first().click();
await settled();
assert.equal(await page.inputValue("#words"), example);
assert.ok((await titles())[0].toLowerCase().includes(example.split(" ")[0]));
await page.click("#home");
await settled();
assert.match(await status(), /newest first/);
await page.click("#more");
await page.waitForFunction(() => document.querySelectorAll(".card").length === 48);

await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));

// By words, with the keyboard alone; arrows walk the grid, Enter opens, Escape comes back.
await page.keyboard.press("/");
assert.equal(await page.focused(), "words");
await page.keyboard.type("red sneakers");
await page.keyboard.press("Enter");
await page.waitForFunction(() => /Best/.test(document.getElementById("status").textContent));
await settled();
assert.match((await titles())[0], /Red .*sneakers/);
assert.equal((await titles()).length, 24);
assert.equal(await page.evaluate(() => window.scrollY), 0);
assert.equal(await page.title(), "red sneakers – pennon");
await page.screenshot({ path: `${shots}/page.png` });
const at = () => page.evaluate(() => [...document.querySelectorAll(".open")].indexOf(document.activeElement));
const columns = await page.evaluate(() => getComputedStyle(document.getElementById("results")).gridTemplateColumns.split(" ").length);
await page.keyboard.press("ArrowDown");
assert.equal(await at(), 0);
await page.keyboard.press("ArrowRight");
assert.equal(await at(), 1);
await page.keyboard.press("ArrowDown");
assert.equal(await at(), 1 + columns);
await page.keyboard.press("End");
assert.equal(await at(), 23);
await page.keyboard.press("Home");
assert.equal(await at(), 0);
assert.ok(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle === "solid"), "focus is visible");
await page.keyboard.press("Enter");
assert.match(await page.textContent("#product h2"), /Red .*sneakers/);
assert.match(await page.textContent("#product dl"), /Colour.*red/);
await page.screenshot({ path: `${shots}/product.png` });
await page.keyboard.press("Escape");
assert.equal(await page.isVisible("#product"), false);
assert.equal(await at(), 0);
await page.keyboard.press("Escape");
assert.equal(await page.focused(), "words");

// Filters: chips that go away one by one, and all at once.
await page.locator('fieldset[data-key="category"] input[value="bags"]').check();
await settled();
assert.ok((await titles()).every((t) => /backpack|handbag|tote/i.test(t)), String(await titles()));
await page.locator('fieldset[data-key="price"] input').last().fill("120");
await page.keyboard.press("Tab");
await settled();
assert.deepEqual(await chips(), ["Category: bags", "Price: ≤ 120"]);
await page.screenshot({ path: `${shots}/filters.png` });
const shared = page.url();
assert.match(shared, /\?q=red\+sneakers&f\.category=bags&r\.price=\.\.120$/);
const filtered = await titles();
await page.getByRole("button", { name: "Remove Category: bags" }).click();
await settled();
assert.deepEqual(await chips(), ["Price: ≤ 120"]);
assert.equal(await page.locator('fieldset[data-key="category"] input[value="bags"]').isChecked(), false);
await page.click("#chips .clear");
await settled();
assert.equal(await page.isVisible("#chips"), false);

// Back, forward, and a link that was sent.
for (const want of [["Price: ≤ 120"], ["Category: bags", "Price: ≤ 120"], ["Category: bags"], []]) {
  await page.goBack();
  await settled();
  assert.deepEqual(await chips(), want);
}
await page.goForward();
await page.goForward();
await settled();
assert.deepEqual(await titles(), filtered);
const other = await open();
await other.goto(shared);
await other.settled();
assert.deepEqual(await other.titles(), filtered);
assert.equal(await other.inputValue("#words"), "red sneakers");
assert.ok(await other.locator('fieldset[data-key="category"] input[value="bags"]').isChecked());
assert.deepEqual(other.faults, []);

// By a dropped picture, and by a pasted one; mixed with words, where the slider decides.
const give = (kind) => page.evaluate(([base64, name]) => {
  const raw = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([raw], "shirt.jpg", { type: "image/jpeg" }));
  const options = { bubbles: true, cancelable: true };
  document.dispatchEvent(name === "drop" ? new DragEvent("drop", { ...options, dataTransfer: transfer }) : new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
}, [bytes, kind]);
for (const kind of ["drop", "paste"]) {
  await page.goto(url);
  await settled();
  await give(kind);
  await page.waitForFunction(() => document.querySelector(".card:not(.skeleton) .title")?.textContent === "Black floral cotton t-shirt");
  assert.ok(await page.isVisible("#picture-bar"), kind);
}
await page.fill("#words", "blue jacket");
await page.keyboard.press("Enter");
await settled();
await page.screenshot({ path: `${shots}/picture.png` });
await page.locator("#mix").fill("0");
await page.waitForFunction(() => /jacket/i.test(document.querySelector(".card:not(.skeleton) .title")?.textContent));
await page.goBack(); // the picture alone
await settled();
assert.equal((await titles())[0], "Black floral cotton t-shirt");
await page.click("#remove");
await settled();
assert.equal(await page.isVisible("#picture-bar"), false);
assert.match(await status(), /newest first/);

// More like this; a link to it names it.
await page.locator(".card .open").nth(2).click();
const liked = await page.textContent("#product h2");
await page.click("#product .primary");
await settled();
assert.deepEqual(await chips(), [`Like: ${liked}`]);
assert.match(page.url(), /\?like=\d+$/);
await page.reload();
await settled();
assert.deepEqual(await chips(), [`Like: ${liked}`]);

// Nothing found says what to do.
await page.locator('fieldset[data-key="price"] input').first().fill("100000");
await page.keyboard.press("Tab");
await page.waitForSelector("#notice h2");
assert.match(await page.textContent("#notice"), /Nothing matches.*Clear all/s);
await page.screenshot({ path: `${shots}/nothing.png` });
await page.locator("#notice .primary").click();
await settled();
assert.equal((await titles()).length, 24);

// Chinese, and it stays.
await page.goto(url);
await settled();
await page.click("#language");
assert.equal(await page.getAttribute("html", "lang"), "zh-CN");
await page.fill("#words", "红色运动鞋");
await page.keyboard.press("Enter");
await page.waitForFunction(() => /最匹配/.test(document.getElementById("status").textContent));
await settled();
assert.match((await titles())[0], /红色.*运动鞋/);
await page.screenshot({ path: `${shots}/chinese.png` });
await page.reload();
await settled();
assert.match(await status(), /件商品/);
await page.click("#language");

// Every control has a name; what is hidden is no stop for Tab.
const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, a, dialog")].filter((node) => node.checkVisibility() &&
  !(node.getAttribute("aria-label") || node.textContent.trim() || node.labels?.length)).map((node) => node.outerHTML));
assert.deepEqual(nameless, []);
assert.deepEqual(page.faults, []);

// A phone: nothing sticks out, the filters are a drawer.
for (const width of [360, 390]) {
  const small = await open({ viewport: { width, height: 844 }, hasTouch: true, isMobile: true });
  await small.goto(url);
  await small.settled();
  await small.waitForSelector("#example-list button");
  await small.fits();
  if (width === 390) await small.screenshot({ path: `${shots}/phone.png` });
  assert.equal(await small.isVisible("#facets"), false);
  await small.tap("#open-filters");
  await small.locator('fieldset[data-key="colour"] input[value="red"]').check();
  await small.settled();
  assert.ok(await small.isVisible("#facets"), "the drawer stays open while one chooses");
  if (width === 390) await small.screenshot({ path: `${shots}/phone-filters.png` });
  await small.tap("#show-results");
  assert.equal(await small.isVisible("#facets"), false);
  assert.equal(await small.textContent("#n-filters"), "1");
  assert.ok((await small.titles()).every((t) => /red/i.test(t)));
  await small.fits();
  await small.locator(".card .open").first().tap();
  await small.fits();
  if (width === 390) await small.screenshot({ path: `${shots}/phone-product.png` });
  await small.locator("#product .close").tap();
  await small.tap("#open-filters");
  await small.keyboard.press("Escape");
  assert.equal(await small.isVisible("#facets"), false);
  await small.tap("#language");
  await small.fits();
  assert.deepEqual(small.faults, []);
}

// Dark where the system is.
const dark = await open({ colorScheme: "dark" });
await dark.goto(url);
await dark.settled();
await dark.waitForSelector("#example-list button");
const [r, g, b] = (await dark.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g).map(Number);
assert.ok(r + g + b < 120, `${r} ${g} ${b} is not dark`);
await dark.screenshot({ path: `${shots}/dark.png` });
await browser.close();
console.log("the page does what a shopper wants");
