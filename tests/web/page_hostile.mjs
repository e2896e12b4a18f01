// Metadata that wants to be a program: it is shown as it is written, and nothing of it runs.
import assert from "node:assert/strict";
import { browser, open } from "./browser.mjs";

const [url, shots] = process.argv.slice(2);
const page = await open();
const hacked = () => page.evaluate(() => window.hacked ?? null);

await page.goto(url);
await page.settled();
await page.waitForSelector("#facets fieldset");
assert.equal((await page.titles()).length, 4);
assert.ok((await page.titles()).includes('<img src=x onerror="window.hacked=1">'));
assert.equal(await page.locator("#results script, #results svg[onload], #results img:not([src^='/image/']), #facets b").count(), 0);
await page.screenshot({ path: `${shots}/hostile.png` });
await page.fits();

// Each product, and each value as a filter and as a chip.
for (let i = 0; i < 4; i++) {
  await page.locator(".open").nth(i).click();
  const hrefs = await page.locator("#product a").evaluateAll((links) => links.map((a) => a.protocol));
  assert.ok(hrefs.every((protocol) => protocol === "https:"), String(hrefs));
  await page.keyboard.press("Escape");
}
for (const value of await page.locator('#facets input[type="checkbox"]').evaluateAll((all) => all.map((input) => [input.closest("fieldset").dataset.key, input.value]))) {
  await page.goto(`${url}/?f.${encodeURIComponent(value[0])}=${encodeURIComponent(value[1])}`);
  await page.settled();
  assert.ok((await page.titles()).length >= 1, `${value} finds nothing`);
  assert.ok((await page.locator("#chips button").first().textContent()).endsWith(value[1]));
}

// The address is foreign, too.
for (const query of ["?q=<img src=x onerror=window.hacked=20>", "?like=<script>", "?like=99999", "?f.__proto__=x&f.constructor=y&r.price=..&r.__proto__=1..2", "?f.<b>=<img src=x onerror=window.hacked=21>", "?r.price=1..javascript:alert(1)", "?q=%", "?f.=x"]) {
  await page.goto(`${url}/${query}`);
  await page.settled();
}
assert.equal(await hacked(), null);
assert.deepEqual(page.faults.filter((fault) => !/40[04]/.test(fault)), []);
await browser.close();
console.log("nothing of the metadata runs");
