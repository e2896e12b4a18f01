// One Chromium for each script; a page on which every fault and every message of an error is a failure.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

export async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  return Object.assign(page, {
    faults,
    titles: () => page.locator(".card:not(.skeleton) .title").allTextContents(),
    // The answer is there, and the pictures at the top of it.
    settled: () => page.waitForFunction(() => document.getElementById("results").getAttribute("aria-busy") === "false" &&
      [...document.querySelectorAll(".card img")].slice(0, 4).every((i) => i.complete)),
    fits: async () => assert.ok(await page.evaluate(() => Math.max(document.documentElement.scrollWidth, window.innerWidth)) <= page.viewportSize().width, `something is wider than the screen: ${page.url()}`),
    focused: () => page.evaluate(() => { const at = document.activeElement; return at.id || at.className; }),
  });
}
