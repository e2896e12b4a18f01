// A table without rows, and a service that stops answering.
import assert from "node:assert/strict";
import { browser, open } from "./browser.mjs";

const [emptyUrl, shopUrl, shots, server] = process.argv.slice(2);
const page = await open();
await page.goto(emptyUrl);
await page.settled();
assert.match(await page.textContent("#notice"), /No products yet.*pennon ingest/s);
assert.equal(await page.isVisible("#examples"), false);
await page.screenshot({ path: `${shots}/empty.png` });

await page.goto(shopUrl);
await page.settled();
await page.evaluate(() => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(["words"], "a.txt", { type: "text/plain" }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
});
assert.match(await page.textContent("#notice"), /not a picture/);
await page.evaluate(() => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(["GIF89a, but not really"], "a.gif", { type: "image/gif" }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
});
await page.waitForFunction(() => /did not work/.test(document.getElementById("notice").textContent));
await page.settled();
await page.click("#remove");
await page.settled();
assert.equal((await page.titles()).length, 24);

// No answer: it says so, and the same question is asked again on demand.
await page.route("**/search", (route) => route.abort());
await page.fill("#words", "boots");
await page.keyboard.press("Enter");
await page.waitForFunction(() => /does not answer/.test(document.getElementById("notice").textContent));
await page.screenshot({ path: `${shots}/offline.png` });
await page.unroute("**/search");
await page.locator("#notice .primary").click();
await page.settled();
assert.match((await page.titles())[0], /boots/i);
process.kill(Number(server));
await page.waitForTimeout(300);
await page.click("#home");
await page.waitForFunction(() => /does not answer/.test(document.getElementById("notice").textContent));
assert.deepEqual(page.faults.filter((fault) => !/Failed to load|ERR_|415|422/.test(fault)), []);
await browser.close();
console.log("empty, refused and offline are told");
