// Four pennon processes and LanceDB (this process) change one table at the same time: add, replace, delete, update, optimize. What
// each was told is done must be there in the end, each row exactly once; what was refused must not be there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect } from "@lancedb/lancedb";

const [folder, catalogue, model] = process.argv.slice(2), table = `${folder}/shop.lance`;
const pennon = (...args) => new Promise((resolve) => {
  const child = spawn(process.env.PENNON, args);
  let out = "", err = "";
  child.stdout.on("data", (d) => { out += d; });
  child.stderr.on("data", (d) => { err += d; });
  child.on("close", (code) => resolve({ code, out, err, what: args.slice(0, 2).join(" ") }));
});
const must = async (promise) => {
  const done = await promise;
  assert.equal(done.code, 0, `pennon ${done.what}: ${done.err}`);
  return done.out;
};
const ingest = (list, ...more) => must(pennon("ingest", list, "--table", table, "--model", model, "--commit-rows", "4", "--json", ...more));
const rowsOfPennon = async () => JSON.parse(await must(pennon("list", "--table", table, "--limit", "10000", "--json"))).results;

const db = await connect(folder);
const t = await db.openTable("shop");
const before = await t.query().select(["id", "image_path", "content_hash"]).toArray();
const hashBefore = new Map(before.map((r) => [r.image_path, r.content_hash]));
const oldIds = before.filter((r) => r.image_path.startsWith("images/")).map((r) => Number(r.id)).sort((a, b) => a - b);
const pathOf = new Map(before.map((r) => [Number(r.id), r.image_path]));
const pattern = (await t.query().limit(1).toArray())[0];
const expected = new Map(before.map((r) => [r.image_path, 1])); // path -> how often it should be there
const refused = { add: 0, delete: 0, update: 0, optimize: 0 };
const touched = new Set();
let optimized = 0;

// pennon counts its ids on from the largest in the table. LanceDB's go down from a high number, so the two never meet.
let nextId = 1_000_000_000_000n;
const attempt = async (what, run) => {
  for (let i = 0; i < 20; i++) {
    try {
      await run();
      return true;
    } catch (error) {
      refused[what]++;
      assert.match(String(error), /conflict|preempted|retry|concurrent/i, `LanceDB ${what}: ${error}`);
    }
  }
  return false;
};

async function lanceAdds() {
  const mine = await db.openTable("shop");
  for (let i = 0; i < 24; i++) {
    const rows = [0, 1, 2, 3].map((k) => ({
      id: nextId--, vector: [...pattern.vector], image_path: `lance/${i}-${k}.jpg`, metadata: new Map([["title", `lance ${i}`]]),
      timestamp: new Date(1700000000000 + i), thumbnail: null, content_hash: null,
    }));
    const paths = rows.map((r) => r.image_path);
    const added = await attempt("add", () => mine.add(rows));
    for (const p of paths) expected.set(p, added ? 1 : 0);
    if (added && i % 4 === 1) {
      await mine.checkoutLatest();
      if (await attempt("update", () => mine.update({ where: `image_path = '${paths[0]}'`, values: { content_hash: "touched" } })))
        touched.add(paths[0]);
    }
  }
}

async function lanceDeletesAndOptimizes() {
  const mine = await db.openTable("shop");
  for (const [i, id] of oldIds.slice(0, 16).entries()) {
    await mine.checkoutLatest();
    if (await attempt("delete", () => mine.delete(`id = ${id}`))) expected.set(pathOf.get(id), 0);
    if (i % 5 === 4 && (await attempt("optimize", async () => { await mine.checkoutLatest(); await mine.optimize(); }))) optimized++;
  }
}

async function pennonDeletes() {
  for (const id of oldIds.slice(16, 32)) {
    const told = JSON.parse(await must(pennon("delete", "--table", table, "--id", String(id), "--yes", "--json")));
    assert.equal(told.deleted, 1);
    expected.set(pathOf.get(id), 0);
  }
}

async function pennonAdds(name) {
  const told = JSON.parse(await ingest(`${folder}/${name}.csv`, "--base", catalogue));
  assert.equal(told.failed, 0);
  for (const p of (await import("node:fs")).readFileSync(`${folder}/${name}.csv`, "utf8").trim().split("\n").slice(1)) expected.set(p.split(",")[0], 1);
  return told.added;
}

const started = Date.now();
const [, , , a, b, replaced] = await Promise.all([
  lanceAdds(), lanceDeletesAndOptimizes(), pennonDeletes(), pennonAdds("first"), pennonAdds("second"), ingest(`${folder}/changing`),
]);
assert.equal(a, 60);
assert.equal(b, 60);
assert.equal(JSON.parse(replaced).updated, 30);

await t.checkoutLatest();
const theirs = await t.query().select(["id", "image_path", "content_hash"]).toArray(), ours = await rowsOfPennon();
const count = (rows) => {
  const n = new Map();
  for (const r of rows) n.set(r.image_path, (n.get(r.image_path) ?? 0) + 1);
  return n;
};
for (const [who, rows] of [["LanceDB", theirs], ["pennon", ours]]) {
  const n = count(rows);
  for (const [path, times] of expected) assert.equal(n.get(path) ?? 0, times, `${who}: ${path}`);
  for (const path of n.keys()) assert.ok(expected.has(path), `${who}: ${path} was never added`);
  assert.equal(new Set(rows.map((r) => String(r.id))).size, rows.length, `${who}: an id was given twice`);
}
for (const r of theirs) {
  if (r.image_path.includes("/changing/")) assert.notEqual(r.content_hash, hashBefore.get(r.image_path), `${r.image_path} was replaced`);
  if (r.image_path.startsWith("lance/")) assert.equal(r.content_hash, touched.has(r.image_path) ? "touched" : null, r.image_path);
}
assert.ok(touched.size > 0 && optimized > 0);
const versions = JSON.parse(await must(pennon("versions", "--table", table, "--json")));
console.log(`${expected.size} pictures, ${theirs.length} rows left, ${versions.length} versions, ${optimized} compactions in ${Date.now() - started} ms; LanceDB was refused`, refused);
