// pennon's upserts, compactions, tags and a new column, and LanceDB's merge inserts, appends, deletes and optimize, all at once in one table. What was
// acknowledged must be there in the end, each key once; what several upserted holds what one of them said.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as A from "apache-arrow";
import { connect, Index } from "@lancedb/lancedb";

const [folder, stable] = process.argv.slice(2), name = `race${stable}`, path = `${folder}/${name}.lance`;
const db = await connect(folder);
const schema = new A.Schema([new A.Field("id", new A.Int64(), false), new A.Field("said", new A.Utf8(), true)]);
const rows = (ids, said) => ids.map((id) => ({ id: BigInt(id), said }));
const range = (first, n) => Array.from({ length: n }, (_, i) => first + i);
const refused = {};
const attempt = async (what, run) => {
  for (let i = 0; i < 30; i++) {
    try {
      await run();
      return true;
    } catch (error) {
      refused[what] = (refused[what] ?? 0) + 1;
      assert.match(String(error), /conflict|preempted|retry|concurrent|came in between|were faster/i, `${what}: ${error}`);
    }
  }
  return false;
};
const pennon = (input, ...args) => new Promise((resolve, reject) => {
  const child = spawn(process.env.PENNON, ["table", ...args, "--table", path]);
  let out = "", err = "";
  child.stdout.on("data", (d) => { out += d; });
  child.stderr.on("data", (d) => { err += d; });
  child.on("close", (code) => (code === 0 ? resolve(out) : reject(new Error(err))));
  child.stdin.on("error", () => {}); // who needs no input may be gone before it comes
  child.stdin.end(input);
});

const t = await db.createTable(name, rows(range(0, 200), "base"), { schema, storageOptions: { newTableEnableStableRowIds: stable } });
await t.createIndex("id", { config: Index.btree() });
const must = new Set(range(0, 200)), may = new Map(range(0, 200).map((id) => [id, new Set(["base"])])), gone = new Set();
const say = (ids, said) => ids.forEach((id) => { must.add(id); may.set(id, (may.get(id) ?? new Set()).add(said)); });

async function pennonUpserts(who) { // two of them insert and update the same keys
  for (let round = 0; round < 12; round++) {
    const said = `${who}-${round}`, ids = [...range(0, 20), ...range(1000 + round * 5, 10)];
    say(ids, said);
    assert.ok(await attempt("pennon upsert", () => pennon(ids.map((id) => JSON.stringify({ id, said }) + "\n").join(""), "upsert", "-", "--key", "id")));
  }
}
async function lanceMerges() {
  const mine = await db.openTable(name);
  for (let round = 0; round < 12; round++) {
    const said = `merge-${round}`, ids = [...range(10, 20), 5000 + round];
    say(ids, said);
    assert.ok(await attempt("merge insert", async () => {
      await mine.checkoutLatest();
      await mine.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows(ids, said));
    }));
  }
}
async function lanceAddsAndDeletes() {
  const mine = await db.openTable(name);
  for (let round = 0; round < 12; round++) {
    say([9000 + round], "added");
    assert.ok(await attempt("add", () => mine.add(rows([9000 + round], "added"))));
    assert.ok(await attempt("delete", async () => { await mine.checkoutLatest(); await mine.delete(`id = ${180 + round}`); }));
    gone.add(180 + round);
    if (round % 5 === 4) await attempt("optimize", async () => { await mine.checkoutLatest(); await mine.optimize(); });
  }
}
async function pennonKeepsOrder() {
  for (let round = 0; round < 6; round++) {
    await attempt("pennon compact", () => pennon("", "compact"));
    await pennon("", "tag", "create", `round-${round}`);
    if (round === 2) assert.ok(await attempt("pennon column", () => pennon("", "column", "add", "extra", "int32")));
  }
}

const started = Date.now();
await Promise.all([pennonUpserts("one"), pennonUpserts("two"), lanceMerges(), lanceAddsAndDeletes(), pennonKeepsOrder()]);
await t.checkoutLatest();
const theirs = (await t.query().limit(100000).toArray()).map((r) => r.toJSON());
const ours = (await pennon("", "export", "-")).trim().split("\n").map((l) => JSON.parse(l));
for (const [who, got] of [["LanceDB", theirs], ["pennon", ours]]) {
  const seen = new Map();
  for (const r of got) {
    assert.ok(!seen.has(Number(r.id)), `${who}: key ${r.id} is there twice`);
    seen.set(Number(r.id), r.said);
    assert.ok(may.get(Number(r.id))?.has(r.said), `${who}: nobody said "${r.said}" of ${r.id}`);
    assert.equal(r.extra, null);
  }
  for (const id of must) assert.equal(seen.has(id), !gone.has(id), `${who}: ${id}`);
}
assert.equal((await (await db.openTable(name)).countRows("id < 20")), 20); // by the index
const versions = JSON.parse(await pennon("", "versions", "--json"));
assert.equal(JSON.parse(await pennon("", "check", "--json")).findings.length, 0);
console.log(`${stable === "true" ? "stable row ids: " : ""}${theirs.length} rows, ${versions.length} versions in ${Date.now() - started} ms; refused, and done again:`, refused);
