// Twenty thousand rows, changed by LanceDB and by pennon in turns. This file keeps what every row should be; after each turn both
// programs must say exactly that, to the last float, and name the same nearest neighbours.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as A from "apache-arrow";
import { connect } from "@lancedb/lancedb";

const [folder, catalogue, model] = process.argv.slice(2), table = `${folder}/shop.lance`;
const N = 20000, N_APPENDS = 4, DIM = 512, PAGE = 5000;
const pennon = (...args) => execFileSync(process.env.PENNON, [args[0], "--table", table, ...args.slice(1)], { encoding: "utf8", maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "pipe"] });
const count = (where) => Number(pennon("count", "--where", where));

// Seeded (mulberry32), so that a failure can be had again.
let state = 20240607;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
};
const unitVector = () => {
  const v = Float32Array.from({ length: DIM }, () => random() - 0.5), norm = Math.hypot(...v);
  return v.map((x) => x / norm);
};

const rows = new Map(); // id -> {path, vector, metadata, time, hash, thumbnail: bytes, extra}
const field = (name, type, nullable = true) => new A.Field(name, type, nullable);
const types = {
  id: [new A.Int64(), false], vector: [new A.FixedSizeList(DIM, field("item", new A.Float32())), false], image_path: [new A.Utf8(), false],
  metadata: [new A.Map_(field("entries", new A.Struct([field("key", new A.Utf8(), false), field("value", new A.Utf8())]), false)), false],
  timestamp: [new A.TimestampMillisecond(), false], thumbnail: [new A.Binary(), true], content_hash: [new A.Utf8(), true],
};
const arrowTable = (list) => {
  const values = {
    id: list.map((r) => BigInt(r.id)), image_path: list.map((r) => r.path), metadata: list.map((r) => new Map(Object.entries(r.metadata))),
    timestamp: list.map((r) => r.time), thumbnail: list.map((r) => r.thumbnail), content_hash: list.map((r) => r.hash),
  };
  const columns = {};
  for (const [name, [type]] of Object.entries(types)) {
    if (name !== "vector") {
      columns[name] = A.vectorFromArray(values[name], type);
      continue;
    }
    const flat = new Float32Array(list.length * DIM); // element by element would take minutes
    list.forEach((r, i) => flat.set(r.vector, i * DIM));
    const child = A.makeData({ type: new A.Float32(), data: flat });
    columns[name] = new A.Vector([A.makeData({ type, length: list.length, nullCount: 0, child })]);
  }
  return new A.Table(new A.Schema(Object.entries(types).map(([n, [type, nullable]]) => field(n, type, nullable))), columns);
};
const makeRow = (id) => ({
  id, path: `lance/${String(id).padStart(6, "0")}.jpg`, vector: unitVector(), time: 1500000000000 + id * 997, hash: id % 9 === 4 ? null : `h${id}`,
  metadata: id % 10 === 7 ? {} : { kind: ["cat", "dog", "bird"][id % 3], price: String(id % 100), title: `Nr. ${id} 名` },
  thumbnail: id % 5 === 2 ? null : Buffer.from(Array.from({ length: id % 40 }, (_, k) => (k * id) & 255)),
});

// ---- what both say

const mapOf = (m) => Object.fromEntries([...m].map((p) => (Array.isArray(p) ? p : [p.key, p.value])));
const sameVector = (a, b) => a.length === b.length && a.every((x, i) => Math.fround(x) === b[i]);

const pages = (...args) => {
  const found = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = JSON.parse(pennon("list", "--json", "--limit", String(PAGE), "--offset", String(offset), ...args)).results;
    found.push(...page);
    if (page.length < PAGE) return found;
  }
};

// Ten million floats as text take a while: in between, pennon prints the vectors of every eighth row.
async function compare(t, what, { extra = false, everyVector = false } = {}) {
  const started = Date.now();
  await t.checkoutLatest();
  const seen = new Set();
  for await (const batch of t.query()) {
    for (const r of batch) {
      const id = Number(r.id), want = rows.get(id);
      assert.ok(want && !seen.has(id), `${what}: LanceDB has row ${id}`);
      seen.add(id);
      assert.ok(r.image_path === want.path && Number(r.timestamp) === want.time && r.content_hash === want.hash, `${what}: LanceDB, row ${id}`);
      assert.ok(sameVector(want.vector, r.vector.toArray ? r.vector.toArray() : [...r.vector]), `${what}: LanceDB, vector ${id}`);
      assert.deepEqual(mapOf(r.metadata), want.metadata);
      if (want.thumbnail !== undefined) assert.deepEqual(r.thumbnail && Buffer.from(r.thumbnail), want.thumbnail);
      if (extra) assert.equal(r.extra === null ? null : Number(r.extra), want.extra ?? null, `${what}: LanceDB, extra of ${id}`);
    }
  }
  assert.equal(seen.size, rows.size, `${what}: LanceDB's rows`);
  let n = 0;
  for (const r of pages()) {
    const want = rows.get(r.id);
    assert.ok(want, `${what}: pennon has row ${r.id}`);
    assert.ok(r.image_path === want.path && Date.parse(r.timestamp) === want.time, `${what}: pennon, row ${r.id}`);
    const { extra: shown, ...metadata } = r.metadata; // pennon shows other columns as metadata
    assert.deepEqual(metadata, want.metadata);
    assert.equal(shown, extra && want.extra !== null ? String(want.extra) : undefined, `${what}: pennon, extra of ${r.id}`);
    n++;
  }
  assert.equal(n, rows.size, `${what}: pennon's rows`);
  assert.equal(Number(pennon("count")), rows.size);
  const vectors = pages("--with-vectors", "--where", everyVector ? "id >= 0" : "id % 8 = 5");
  assert.equal(vectors.length, everyVector ? n : [...rows.keys()].filter((id) => id % 8 === 5).length);
  for (const r of vectors) assert.ok(sameVector(r.vector, rows.get(r.id).vector), `${what}: pennon, vector ${r.id}`);
  // What "pennon list" does not print is asked for by filters.
  const all = [...rows.values()];
  assert.equal(count("content_hash IS NULL"), all.filter((r) => r.hash === null).length, `${what}: hashes`);
  assert.equal(count("content_hash LIKE 'h1%'"), all.filter((r) => r.hash?.startsWith("h1")).length, `${what}: hashes`);
  assert.equal(count("metadata['price'] < 10"), all.filter((r) => r.metadata.price !== undefined && Number(r.metadata.price) < 10).length, `${what}: prices`);
  if (extra) {
    assert.equal(count("extra IS NULL"), all.filter((r) => (r.extra ?? null) === null).length, `${what}: extra`);
    for (const bound of [1000, 20000, 39999]) assert.equal(count(`extra >= ${bound}`), all.filter((r) => r.extra >= bound).length, `${what}: extra`);
  }
  console.log(`${what}: ${n} rows equal in both, ${Date.now() - started} ms`);
}

async function compareNeighbours(t, what) {
  await t.checkoutLatest();
  for (let i = 0; i < 3; i++) {
    const query = [...unitVector()], k = 25;
    const theirs = await t.query().nearestTo(query).distanceType("cosine").bypassVectorIndex().limit(k).toArray();
    fs.writeFileSync(`${folder}/query.json`, JSON.stringify(query));
    const ours = JSON.parse(pennon("search", "--vector", `${folder}/query.json`, "-k", String(k), "--json")).results;
    assert.deepEqual(ours.map((r) => r.id), theirs.map((r) => Number(r.id)), `${what}: neighbours`);
    ours.forEach((r, j) => assert.ok(Math.abs(1 - r.score - theirs[j]._distance) < 1e-5, `${what}: distance ${r.score} ${theirs[j]._distance}`));
  }
  console.log(`${what}: the same neighbours`);
}

// ---- the turns

const forget = (test) => [...rows.values()].filter(test).forEach((r) => rows.delete(r.id));
function pennonIngest(list) { // and take over the rows it made
  pennon("ingest", list, "--model", model, "--base", catalogue, "--quiet");
  const made = JSON.parse(pennon("list", "--json", "--with-vectors", "--limit", "10000", "--where", "image_path LIKE 'images/%'")).results;
  for (const r of made.filter((one) => !rows.has(one.id)))
    rows.set(r.id, { id: r.id, path: r.image_path, vector: r.vector.map(Math.fround), metadata: (({ extra, ...rest }) => rest)(r.metadata), time: Date.parse(r.timestamp), hash: undefined });
}

const db = await connect(folder);
const t = await db.openTable("shop");
// The first rows are pennon's: their hashes are taken from LanceDB, and are compared from then on.
async function takeHashes() {
  await t.checkoutLatest();
  for (const r of await t.query().where("image_path LIKE 'images/%'").select(["id", "content_hash"]).toArray()) rows.get(Number(r.id)).hash = r.content_hash;
}
pennonIngest(`${folder}/first.csv`);
await takeHashes();
for (let a = 0; a < N_APPENDS; a++) {
  const list = Array.from({ length: N / N_APPENDS }, (_, i) => makeRow(1000 + (a * N) / N_APPENDS + i));
  for (const r of list) rows.set(r.id, r);
  await t.checkoutLatest();
  await t.add(arrowTable(list));
  pennon("delete", "--where", `id >= ${1000 + (a * N) / N_APPENDS} AND id % 50 = ${a}`, "--yes");
  forget((r) => r.id >= 1000 + (a * N) / N_APPENDS && r.id % 50 === a);
}
await compare(t, "added by LanceDB, thinned by pennon");
await compareNeighbours(t, "added by LanceDB, thinned by pennon");

await t.delete("id % 7 = 3 AND id > 1000");
forget((r) => r.id % 7 === 3 && r.id > 1000);
await t.update({ where: "id % 11 = 5 AND id > 1000", values: { content_hash: "h1 updated" } });
for (const r of rows.values()) if (r.id % 11 === 5 && r.id > 1000) r.hash = "h1 updated";
pennon("delete", "--where", "metadata['kind'] = 'bird' AND id % 3 = 2 AND id < 6000", "--yes");
forget((r) => r.metadata.kind === "bird" && r.id % 3 === 2 && r.id < 6000);
await t.checkoutLatest();
await t.addColumns([{ name: "extra", valueSql: "nullif(id, (id / 13) * 13) * 2" }]);
for (const r of rows.values()) r.extra = r.id % 13 === 0 ? null : r.id * 2;
pennonIngest(`${folder}/second.csv`); // new rows, whose extra is null; of the old ones none changed
for (const r of rows.values()) r.extra ??= r.path.startsWith("images/") && r.id % 13 !== 0 && r.id < 1000 ? r.id * 2 : null;
await takeHashes();
await compare(t, "deleted, updated, widened by LanceDB", { extra: true });

await t.optimize();
pennon("delete", "--where", "extra > 30000 AND extra < 32000", "--yes");
forget((r) => r.extra > 30000 && r.extra < 32000);
await t.checkoutLatest();
await t.update({ where: "extra >= 41000", valuesSql: { extra: "extra + 1" } });
for (const r of rows.values()) if (r.extra >= 41000) r.extra++;
await compareNeighbours(t, "optimized, thinned, updated");
pennon("delete", "--where", "content_hash = 'h1 updated' AND id % 2 = 0", "--yes");
forget((r) => r.hash === "h1 updated" && r.id % 2 === 0);
await t.checkoutLatest();
await t.dropColumns(["extra"]);
for (const r of rows.values()) delete r.extra;
assert.throws(() => pennon("count", "--where", "extra > 1"), /extra/);
await t.add(arrowTable(Array.from({ length: 500 }, (_, i) => makeRow(50000 + i)).map((r) => (rows.set(r.id, r), r))));
pennonIngest(`${folder}/first.csv`); // nothing changed, nothing is made
await compare(t, "column dropped, more added");
await t.optimize();
await compare(t, "optimized again", { everyVector: true });
await compareNeighbours(t, "optimized again");
console.log(`all equal after ${JSON.parse(pennon("versions", "--json")).length} versions`);
