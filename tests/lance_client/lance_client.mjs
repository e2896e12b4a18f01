// Both directions: pennon's table in LanceDB, LanceDB's changes in pennon.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { connect } from "@lancedb/lancedb";

const folder = process.argv[2], table = `${folder}/shop.lance`;
const pennon = (...args) => execFileSync(process.env.PENNON, args, { encoding: "utf8", maxBuffer: 1 << 28 });
const rowsOfPennon = () => JSON.parse(pennon("list", "--table", table, "--limit", "10000", "--json", "--with-vectors")).results;
const plainMap = (m) => {
  if (m === null || m === undefined) return {};
  const pairs = typeof m[Symbol.iterator] === "function" ? [...m] : Object.entries(m.toJSON ? m.toJSON() : m);
  return Object.fromEntries(pairs.map((p) => (Array.isArray(p) ? p : [p.key, p.value])));
};
const rowsOfLance = async (t) => (await t.query().limit(100000).toArray()).map((r) => ({
  id: Number(r.id), vector: [...r.vector], path: r.image_path, metadata: plainMap(r.metadata), time: Number(r.timestamp),
  thumbnail: r.thumbnail ? r.thumbnail.length : 0, hash: r.content_hash,
}));

async function compare(t, what) {
  const ours = rowsOfPennon(), theirs = await rowsOfLance(t);
  assert.equal(theirs.length, ours.length, `${what}: number of rows`);
  const byId = new Map(theirs.map((r) => [r.id, r]));
  for (const row of ours) {
    const other = byId.get(row.id);
    assert.ok(other, `${what}: row ${row.id}`);
    assert.equal(other.path, row.image_path);
    assert.deepEqual(other.metadata, row.metadata);
    assert.equal(other.time, Date.parse(row.timestamp));
    assert.equal(other.vector.length, row.vector.length);
    row.vector.forEach((v, i) => assert.equal(Math.fround(v), other.vector[i], `${what}: row ${row.id}, float ${i}`));
  }
  console.log(`${what}: ${ours.length} rows equal`);
}

async function compareSearch(t, id, what) {
  const rows = await rowsOfLance(t), { vector } = rows.find((r) => r.id === id);
  const theirs = (await t.search(vector).distanceType("cosine").bypassVectorIndex().limit(10).toArray()).map((r) => Number(r.id));
  const ours = JSON.parse(pennon("search", "--table", table, "--vector", JSON.stringify(vector), "-k", "10", "--json")).results.map((r) => r.id);
  assert.deepEqual(ours, theirs, `${what}: neighbours`);
  console.log(`${what}: the same ten neighbours`);
}

const db = await connect(folder);
assert.deepEqual(await db.tableNames(), ["shop"]);
let t = await db.openTable("shop");
assert.equal(await t.countRows(), 80);
await compare(t, "as written");
await compareSearch(t, 7, "as written");

// pennon deletes and updates; LanceDB sees it.
pennon("delete", "--table", table, "--id", "3", "--id", "40", "--yes");
await t.checkoutLatest();
assert.equal(await t.countRows(), 78);
await compare(t, "after delete");

// LanceDB filters, deletes, adds and compacts; pennon reads the result.
assert.equal(await t.countRows("image_path LIKE 'images/000%'"), 8);
await t.delete("id = 5");
await compare(t, "after their delete");
const sample = (await t.query().limit(2).toArray()).map((r, i) => ({
  id: BigInt(1000 + i), vector: [...r.vector], image_path: `added/${i}.jpg`, metadata: new Map([["title", `added ${i}`]]),
  timestamp: new Date(1700000000000 + i), thumbnail: null, content_hash: null,
}));
let added = true;
try {
  await t.add(sample);
} catch (error) {
  added = false;
  console.log(`the client cannot add maps from JavaScript objects (${String(error).slice(0, 120)})`);
}
if (added) await compare(t, "after their add");
await t.optimize();
await t.checkoutLatest();
await compare(t, "after their optimize");
await compareSearch(t, 7, "after their optimize");

// pennon goes on where LanceDB left off.
const before = rowsOfPennon().length;
pennon("delete", "--table", table, "--where", "metadata['category'] = 'tops' AND id < 10", "--yes");
await t.checkoutLatest();
assert.ok(rowsOfPennon().length < before);
await compare(t, "pennon after LanceDB");
console.log("all equal");
