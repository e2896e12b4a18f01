// LanceDB (this process) adds a row and cleans up everything but the newest version, without a pause. Meanwhile pennon imports rows, which
// always comes to its end, and upserts, which may find the files of what it reads gone, and then has done nothing. What was told is done
// is there exactly once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect } from "@lancedb/lancedb";

const [folder] = process.argv.slice(2), table = `${folder}/busy.lance`;
const IMPORTS = 40, UPSERTS = 15, ROWS = 20;
const pennon = (input, ...args) => new Promise((resolve) => {
  const child = spawn(process.env.PENNON, ["table", ...args, "--table", table]);
  let err = "";
  child.stderr.on("data", (d) => { err += d; });
  child.on("close", (code) => resolve({ code, err }));
  child.stdin.end(input);
});
const must = async (done) => { const { code, err } = await done; assert.equal(code, 0, err); };
const lines = (first, by) => Array.from({ length: ROWS }, (_, i) => JSON.stringify({ id: first + i, by }) + "\n").join("");

const expected = new Map();
const expectRows = (first, by) => { for (let k = 0; k < ROWS; k++) expected.set(first + k, by); };
await must(pennon(lines(0, "first"), "import", "-", "--mode", "create"));
expectRows(0, "first");
const db = await connect(folder);
const t = await db.openTable("busy");
let running = true, added = 0, cleaned = 0, refused = 0, upserted = 0;

async function addAndClean() {
  while (running) {
    await t.add([{ id: BigInt(1_000_000 + added), by: "lance" }]);
    expected.set(1_000_000 + added++, "lance");
    try {
      cleaned += Number((await t.optimize({ cleanupOlderThan: new Date() })).prune.oldVersionsRemoved);
    } catch (error) {
      assert.match(String(error), /conflict|preempted|retry|concurrent/i, `LanceDB optimize: ${error}`);
    }
  }
}

async function importRows() {
  for (let i = 0; i < IMPORTS; i++) {
    const first = 1000 + i * ROWS;
    await must(pennon(lines(first, `import ${i}`), "import", "-"));
    expectRows(first, `import ${i}`);
  }
}

async function upsertRows() {
  for (let i = 0; i < UPSERTS; i++) {
    const { code, err } = await pennon(lines(ROWS / 2, `upsert ${i}`), "upsert", "-", "--key", "id");
    if (code === 0) {
      expectRows(ROWS / 2, `upsert ${i}`);
      upserted++;
    } else {
      assert.match(err, /No such file|came in between|faster/);
      refused++;
    }
  }
}

const cleaning = addAndClean();
await Promise.all([importRows(), upsertRows()]);
running = false;
await cleaning;
const rows = await (await db.openTable("busy")).query().toArray();
const seen = new Map();
for (const r of rows) {
  assert.ok(!seen.has(Number(r.id)), `row ${r.id} is there twice`);
  seen.set(Number(r.id), r.by);
}
for (const [id, by] of expected) assert.equal(seen.get(id), by, `row ${id}`);
assert.equal(rows.length, expected.size);
assert.ok(cleaned > 0);
console.log(`${IMPORTS} imports and ${upserted} upserts (${refused} refused) beside ${added} commits and ${cleaned} versions cleaned up`);
