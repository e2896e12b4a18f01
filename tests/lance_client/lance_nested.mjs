// Lists, structs, booleans in lists, bytes, times and nulls at every depth, in each version that pennon writes: pennon compacts the table, then upserts all
// of its rows with what it exported. LanceDB must read the same each time.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as A from "apache-arrow";
import { connect } from "@lancedb/lancedb";

const [folder] = process.argv.slice(2);
const db = await connect(folder);
const field = (name, type) => new A.Field(name, type, true), list = (type) => new A.List(field("item", type));
const schema = new A.Schema([
  new A.Field("id", new A.Int64(), false), field("flags", list(new A.Bool())), field("words", list(list(new A.Utf8()))),
  field("size", new A.Struct([field("w", new A.Float64()), field("tags", list(new A.Int16()))])), field("parts", list(new A.Struct([field("n", new A.Int32()), field("s", new A.Utf8())]))),
  field("deep", list(new A.Struct([field("names", list(new A.Struct([field("t", new A.Utf8()), field("n", list(new A.Int8()))])))]))), field("raw", new A.Binary()), field("at", new A.TimestampMillisecond()), field("near", new A.FixedSizeList(3, field("item", new A.Float32()))), field("u", new A.Uint8()), field("yes", new A.Bool()),
]);
let state = 7;
const below = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor((state / 2 ** 32) * n); };
const maybe = (make) => (below(8) === 0 ? null : make()), several = (most, make, may = maybe) => Array.from({ length: below(most + 1) }, () => may(make));
let nullStructs = true; // 2.0 has none
const struct = (make) => (nullStructs ? maybe(make) : make());
const text = () => "häß漢x".repeat(below(4)).slice(0, below(12));
const row = (id) => ({
  id: BigInt(id), flags: maybe(() => several(5, () => below(2) === 1)), words: maybe(() => several(3, () => several(3, text))),
  size: struct(() => ({ w: maybe(() => below(1000) / 8), tags: maybe(() => several(4, () => below(100) - 50)) })),
  parts: maybe(() => several(3, () => ({ n: maybe(() => below(1000)), s: maybe(text) }), struct)), deep: maybe(() => several(3, () => ({ names: maybe(() => several(2, () => ({ t: maybe(text), n: maybe(() => several(2, () => below(9))) }), struct)) }), struct)),
  raw: maybe(() => Buffer.from(Array.from({ length: below(9) }, () => below(256)))),
  at: maybe(() => new Date(1.6e12 + below(1e9))), near: [below(9), below(9), below(9)], u: maybe(() => below(256)), yes: maybe(() => below(2) === 1),
});
const table = (rows) => new A.Table([new A.RecordBatch(schema, A.makeData({
  type: new A.Struct(schema.fields), length: rows.length, nullCount: 0,
  children: schema.fields.map((f) => A.vectorFromArray(rows.map((r) => r[f.name]), f.type).data[0]),
}))]);
const plain = (v) => (v === null || v === undefined ? null : typeof v === "bigint" ? Number(v) : v instanceof Uint8Array ? Buffer.from(v).toString("hex")
  : typeof v !== "object" ? v : v instanceof Date ? v.getTime() : v[Symbol.iterator] && !(v instanceof A.StructRow) ? [...v].map(plain) : Object.fromEntries(Object.entries(v.toJSON ? v.toJSON() : v).map(([k, x]) => [k, plain(x)])));
const read = async (name) => (await (await db.openTable(name)).query().limit(100000).toArray()).map((r) => JSON.stringify(plain(r))).sort();
const pennon = (path, input, ...args) => {
  const done = spawnSync(process.env.PENNON, ["table", ...args, "--table", path], { encoding: "utf8", input, maxBuffer: 1 << 28 });
  assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
};

for (const version of ["2.0", "2.1", "2.2", "2.3"]) {
  nullStructs = version !== "2.0";
  const name = "n" + version.replace(".", ""), path = `${folder}/${name}.lance`;
  const t = await db.createTable(name, table(Array.from({ length: 3000 }, (_, i) => row(i))), { schema, storageOptions: { newTableDataStorageVersion: version } });
  await t.add(table(Array.from({ length: 500 }, (_, i) => row(3000 + i))));
  await t.delete("id % 7 = 2");
  const before = await read(name);
  pennon(path, "", "compact");
  assert.deepEqual(await read(name), before, `${version}: after compact`);
  const told = JSON.parse(pennon(path, pennon(path, "", "export", "-"), "upsert", "-", "--key", "id", "--json"));
  assert.deepEqual([told.inserted, told.updated, told.deleted], [0, before.length, 0], version);
  assert.deepEqual(await read(name), before, `${version}: after an upsert of all rows`);
  const half = pennon(path, "", "export", "-", "--where", "id % 2 = 0", "--column", "id", "--column", "parts");
  assert.equal(JSON.parse(pennon(path, half, "upsert", "-", "--key", "id", "--json")).inserted, 0);
  assert.deepEqual(await read(name), before, `${version}: after an upsert of one column`);
  console.log(`${version}: ${before.length} rows of ${schema.fields.length} columns`);
}
