// Two equal tables and one batch of rows: pennon's upsert of the first and LanceDB's mergeInsert of the second must leave the same rows, whatever is
// matched, left, inserted or deleted; with addresses and with stable row ids, with indexes in place. Then LanceDB searches and optimizes pennon's.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { spawnSync } from "node:child_process";
import * as A from "apache-arrow";
import { connect, Index } from "@lancedb/lancedb";

const [folder, seedText, countText] = process.argv.slice(2), DIM = 8;
const db = await connect(folder);
let state = Number(seedText) >>> 0;
const below = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor((state / 2 ** 32) * n); };
const odds = (percent) => below(100) < percent;
const schema = new A.Schema([
  new A.Field("id", new A.Int64(), true), new A.Field("lang", new A.Utf8(), true), new A.Field("price", new A.Int32(), true),
  new A.Field("vector", new A.FixedSizeList(DIM, new A.Field("item", new A.Float32(), true)), true),
]);
const random = (ids) => ({
  id: odds(4) ? null : BigInt(below(ids)), lang: odds(4) ? null : ["", "de", "en", "zh"][below(4)], price: odds(10) ? null : below(100),
  vector: Array.from({ length: DIM }, () => Math.fround(below(1000) / 8)),
});
const line = (r) => JSON.stringify([r.id === null ? null : Number(r.id), r.lang, r.price, r.vector && [...r.vector]]);
const sorted = (rows) => rows.map(line).sort();
const pennon = (path, input, ...args) => {
  const done = spawnSync(process.env.PENNON, [...args, "--table", path], { encoding: "utf8", input, maxBuffer: 1 << 28 });
  assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
};
const read = async (name) => {
  const table = await db.openTable(name);
  return { table, rows: (await table.query().limit(100000).toArray()).map((r) => r.toJSON()) };
};
const distinct = (rows, keys) => {
  const seen = new Set();
  return rows.filter((r) => {
    if (keys.some((k) => r[k] === null)) return true;
    const key = keys.map((k) => String(r[k])).join("|");
    return !seen.has(key) && seen.add(key);
  });
};

const counts = { inserted: 0, updated: 0, deleted: 0 };
for (let i = 0; i < Number(countText); i++) {
  const version = ["2.0", "2.1", "2.2"][below(3)], stable = odds(50), keys = odds(60) ? ["id"] : ["id", "lang"], ids = 200;
  const ours = `ours${i}`, theirs = `theirs${i}`, path = `${folder}/${ours}.lance`;
  const t = await db.createTable(theirs, distinct(Array.from({ length: 120 }, () => random(ids)), keys), {
    schema, storageOptions: { newTableDataStorageVersion: version, newTableEnableStableRowIds: String(stable) },
  });
  const already = new Set((await read(theirs)).rows.map((r) => keys.map((k) => String(r[k])).join("|")));
  await t.add(distinct(Array.from({ length: 80 }, () => random(ids)), keys).filter((r) => !already.has(keys.map((k) => String(r[k])).join("|"))));
  if (odds(50)) await t.delete("price < 15");
  const indexed = odds(40);
  if (indexed) await t.createIndex("id", { config: Index.btree() });
  cpSync(`${folder}/${theirs}.lance`, path, { recursive: true });
  // By an index LanceDB loses rows whose key is null, which it inserts without one. pennon inserts them.
  const rows = distinct(Array.from({ length: 1 + below(90) }, () => random(260)), keys).filter((r) => !indexed || keys.every((k) => r[k] !== null));
  if (rows.length === 0) continue;
  const how = { update: odds(75), insert: odds(75), missing: odds(25), where: odds(50) };
  if (!how.update && !how.insert) how.update = true;
  const what = `turn ${i}: ${version}${stable ? ", stable row ids" : ""}, keys ${keys}, ${JSON.stringify(how)}`;
  let merge = t.mergeInsert(keys);
  if (how.update) merge = merge.whenMatchedUpdateAll();
  if (how.insert) merge = merge.whenNotMatchedInsertAll();
  if (how.missing) merge = merge.whenNotMatchedBySourceDelete(how.where ? { where: "price >= 50" } : undefined);
  await merge.execute(makeTable(rows));
  const args = ["table", "upsert", "-", "--key", keys.join(","), "--json"];
  if (!how.update) args.push("--leave-matched");
  if (!how.insert) args.push("--leave-unmatched");
  if (how.missing) args.push("--delete-missing");
  if (how.missing && how.where) args.push("--delete-where", "price >= 50");
  const before = stable ? new Map((await (await db.openTable(ours)).query().withRowId().limit(100000).toArray()).map((r) => [keys.map((k) => String(r[k])).join("|"), r._rowid])) : null;
  const told = JSON.parse(pennon(path, rows.map((r) => JSON.stringify({ ...r, id: r.id === null ? null : Number(r.id) }) + "\n").join(""), ...args));
  for (const k of Object.keys(counts)) counts[k] += told[k];
  const a = await read(ours), b = await read(theirs);
  assert.deepEqual(sorted(a.rows), sorted(b.rows), what);
  assert.deepEqual(sorted(pennon(path, "", "table", "export", "-").split("\n").filter((l) => l).map((l) => JSON.parse(l))), sorted(b.rows), `${what}: pennon reads`);
  if (stable) { // a row that was there has the id that it had
    for (const r of await a.table.query().withRowId().limit(100000).toArray()) {
      const key = keys.map((k) => String(r[k])).join("|");
      if (keys.every((k) => r[k] !== null) && before.has(key)) assert.equal(r._rowid, before.get(key), `${what}: the id of ${key}`);
    }
  }
  for (const where of ["id < 40", "id = 77", "lang = 'de' AND price > 30"]) // by the index, where there is one
    assert.equal(await a.table.countRows(where), await b.table.countRows(where), `${what}: ${where}`);
  await a.table.optimize();
  assert.deepEqual(sorted((await read(ours)).rows), sorted(b.rows), `${what}: after optimize`);
  assert.equal(await a.table.countRows("id < 40"), await b.table.countRows("id < 40"), `${what}: id < 40 after optimize`);
}

function makeTable(rows) {
  const columns = { id: new A.Int64(), lang: new A.Utf8(), price: new A.Int32() };
  const children = Object.entries(columns).map(([name, type]) => A.vectorFromArray(rows.map((r) => r[name]), type).data[0]);
  const floats = new Float32Array(rows.flatMap((r) => r.vector));
  children.push(A.makeData({ type: schema.fields[3].type, length: rows.length, nullCount: 0, child: A.makeData({ type: new A.Float32(), length: floats.length, nullCount: 0, data: floats }) }));
  return new A.Table([new A.RecordBatch(schema, A.makeData({ type: new A.Struct(schema.fields), length: rows.length, nullCount: 0, children }))]);
}
assert.ok(counts.inserted > 0 && counts.updated > 0 && counts.deleted > 0);
console.log(`${countText} upserts left what LanceDB's merge insert leaves:`, counts);
