// What a shopper does, done by a browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [url, shop, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
const faults = [];
page.on("pageerror", (error) => faults.push(String(error)));
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
const titles = () => page.locator(".card .title").allTextContents();
const settled = async () => {
  await page.waitForFunction(() => !/Searching|搜索中/.test(document.getElementById("status").textContent));
  await page.waitForTimeout(50);
};

await page.goto(url);
await page.waitForSelector("#filters fieldset");
assert.match(await page.textContent("#status"), /Type words/);

// By words, with the keyboard alone.
await page.keyboard.press("/");
await page.keyboard.type("red sneakers");
await page.keyboard.press("Enter");
await page.waitForSelector(".card");
await settled();
assert.match((await titles())[0], /Red .*sneakers/);
assert.equal((await titles()).length, 24);
await page.waitForFunction(() => [...document.querySelectorAll(".card img")].slice(0, 4).every((i) => i.complete && i.naturalWidth > 0));
await page.screenshot({ path: screenshot });

// Filtered.
await page.locator('fieldset[data-key="category"] input[value="bags"]').check();
await settled();
assert.ok((await titles()).every((t) => /backpack|handbag|tote/i.test(t)), String(await titles()));
await page.locator('fieldset[data-key="category"] input[value="bags"]').uncheck();
await settled();

// By a dropped picture.
const bytes = readFileSync(`${shop}/images/0005.jpg`).toString("base64");
await page.fill("#words", "");
await page.evaluate((base64) => {
  const raw = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([raw], "shirt.jpg", { type: "image/jpeg" }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}, bytes);
await page.waitForFunction(() => document.querySelector(".card .title")?.textContent === "Black floral cotton t-shirt");
assert.ok(await page.isVisible("#picture-bar"));

// Mixed: words and picture, the slider decides.
await page.fill("#words", "blue jacket");
await page.locator("#mix").fill("0");
await page.keyboard.press("Enter");
await page.locator("#search button.primary").click();
await page.waitForFunction(() => /jacket/i.test(document.querySelector(".card .title")?.textContent));
await settled();
assert.match((await titles())[0], /jacket/i);

// More like this, and back to a picture of nothing found.
await page.locator(".card button").nth(1).click();
await page.waitForFunction(() => /More like/.test(document.getElementById("status").textContent));
await page.locator('fieldset[data-key="price"] input').first().fill("100000");
await page.keyboard.press("Tab");
await page.waitForFunction(() => /Nothing found/.test(document.getElementById("status").textContent));

// Chinese.
await page.goto(url);
await page.waitForSelector("#filters fieldset");
await page.click("#language");
await page.fill("#words", "红色运动鞋");
await page.keyboard.press("Enter");
await page.waitForSelector(".card");
await settled();
assert.match((await titles())[0], /红色.*运动鞋/);

// A phone: nothing sticks out.
await page.setViewportSize({ width: 390, height: 800 });
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
assert.deepEqual(faults, []);
await browser.close();
console.log("the page does what a shopper wants");
