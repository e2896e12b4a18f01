// Each operation in each storage version, by pennon and by LanceDB, on a table of its own: a cell of the table in docs/FORMAT.md. Behind the
// operation both must read the rows that a model kept here says, and whoever did not do it must be able to go on: LanceDB appends and deletes,
// pennon reads that.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as A from "apache-arrow";
import { connect, Index } from "@lancedb/lancedb";

const [folder] = process.argv.slice(2), DIM = 8, VERSIONS = ["2.0", "2.1", "2.2", "2.3"];
const db = await connect(folder);
const schema = new A.Schema([
  new A.Field("id", new A.Int64(), true), new A.Field("name", new A.Utf8(), true), new A.Field("price", new A.Float64(), true),
  new A.Field("vector", new A.FixedSizeList(DIM, new A.Field("item", new A.Float32(), true)), true),
]);
const vectorOf = (id) => Array.from({ length: DIM }, (_, k) => Math.fround(Math.sin(id * 1.3 + k)));
const row = (id) => ({ id, name: id % 7 === 3 ? null : `row-${id}`, price: id % 5 === 0 ? null : id / 4, vector: vectorOf(id) });
const range = (first, n) => Array.from({ length: n }, (_, i) => row(first + i));
const theirs = (rows) => rows.map((r) => ({ ...r, id: BigInt(r.id) }));
const line = (r) => JSON.stringify(Object.keys(r).sort().map((k) => [k, k === "vector" && r[k] ? [...r[k]].map(Math.fround) : typeof r[k] === "bigint" ? Number(r[k]) : r[k] ?? null]));
const sorted = (rows) => rows.map(line).sort();

function pennon(path, input, ...args) {
  const done = spawnSync(process.env.PENNON, [...args, "--table", path], { encoding: "utf8", input, maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(done.stderr.trim());
  return done.stdout;
}
const ndjson = (rows) => rows.map((r) => JSON.stringify(r) + "\n").join("");
const rowsOfPennon = (path) => pennon(path, "", "table", "export", "-").split("\n").filter((l) => l).map((l) => JSON.parse(l));

// name, by pennon, by LanceDB, what the model says afterwards. c: the table's path, name, handle, rows and version.
const changed = range(10, 20).concat(range(400, 5)).map((r) => ({ ...r, name: "changed" }));
const upserted = (rows) => rows.filter((r) => !changed.some((n) => n.id === r.id)).concat(changed);
const operations = [
  ["create", (c) => pennon(c.path, ndjson(range(0, 50)), "table", "import", "-", "--mode", "create", "--data-format", c.version), (c) => c.createTheirs(range(0, 50)), () => range(0, 50)],
  ["append", (c) => pennon(c.path, ndjson(range(300, 9)), "table", "import", "-"), (c) => c.table.add(theirs(range(300, 9))), (rows) => rows.concat(range(300, 9))],
  ["overwrite", (c) => pennon(c.path, ndjson(range(300, 9)), "table", "import", "-", "--mode", "overwrite"),
    (c) => db.createTable(c.name, theirs(range(300, 9)), { mode: "overwrite", schema, storageOptions: { newTableDataStorageVersion: c.version } }), () => range(300, 9)],
  ["delete", (c) => pennon(c.path, "", "delete", "--where", "id % 3 = 1", "--yes"), (c) => c.table.delete("id % 3 = 1"), (rows) => rows.filter((r) => r.id % 3 !== 1)],
  ["update of values", (c) => pennon(c.path, ndjson(range(10, 20).map((r) => ({ id: r.id, name: "touched" }))), "table", "upsert", "-", "--key", "id", "--leave-unmatched"),
    (c) => c.table.update({ where: "id >= 10 AND id < 30", values: { name: "touched" } }), (rows) => rows.map((r) => (r.id >= 10 && r.id < 30 ? { ...r, name: "touched" } : r))],
  ["upsert by key", (c) => pennon(c.path, ndjson(changed), "table", "upsert", "-", "--key", "id"),
    (c) => c.table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(theirs(changed)), upserted],
  ["add a column of nulls", (c) => pennon(c.path, "", "table", "column", "add", "more", "int64"), (c) => c.table.addColumns([{ name: "more", valueSql: "CAST(NULL AS bigint)" }]),
    (rows) => rows.map((r) => ({ ...r, more: null }))],
  ["add a column with values", (c) => pennon(c.path, "", "table", "column", "add", "more", "int64", "--value", "7"), (c) => c.table.addColumns([{ name: "more", valueSql: "CAST(7 AS bigint)" }]),
    (rows) => rows.map((r) => ({ ...r, more: 7 }))],
  ["rename a column", (c) => pennon(c.path, "", "table", "column", "rename", "name", "title"), (c) => c.table.alterColumns([{ path: "name", rename: "title" }]),
    (rows) => rows.map(({ name, ...r }) => ({ ...r, title: name }))],
  ["drop a column", (c) => pennon(c.path, "", "table", "column", "drop", "price"), (c) => c.table.dropColumns(["price"]), (rows) => rows.map(({ price, ...r }) => r)],
  ["compact", (c) => pennon(c.path, "", "table", "compact"), (c) => c.table.optimize({ cleanupOlderThan: new Date(0) }), (rows) => rows],
  ["tag", (c) => pennon(c.path, "", "table", "tag", "create", "marked", "2"), async (c) => (await c.table.tags()).create("marked", 2), (rows) => rows, async (c) => {
    assert.equal(await (await c.table.tags()).getVersion("marked"), 2);
    assert.deepEqual(JSON.parse(pennon(c.path, "", "table", "tag", "list", "--json")), [{ name: "marked", version: 2 }]);
  }],
  ["restore", (c) => pennon(c.path, "", "table", "restore", "1"), async (c) => { await c.table.checkout(1); await c.table.restore(); }, () => range(0, 100)],
  ["clean up", (c) => pennon(c.path, "", "table", "cleanup", "--older-than", "0"), (c) => c.table.optimize({ cleanupOlderThan: new Date(Date.now() + 1000) }), (rows) => rows, async (c) =>
    assert.ok(JSON.parse(pennon(c.path, "", "table", "versions", "--json")).length <= 2)],
  ["index (B-tree)", null, (c) => c.table.createIndex("id", { config: Index.btree() }), (rows) => rows],
];

async function makeTable(name, version) { // two fragments, with deleted rows: versions 1 to 3
  const table = await db.createTable(name, theirs(range(0, 100)), { schema, storageOptions: { newTableDataStorageVersion: version } });
  await table.add(theirs(range(100, 60)));
  await table.delete("id % 10 = 4");
  return { table, model: range(0, 160).filter((r) => r.id % 10 !== 4) };
}

async function compare(c, model, what) {
  c.table = await db.openTable(c.name);
  assert.deepEqual(sorted((await c.table.query().limit(100000).toArray()).map((r) => r.toJSON())), sorted(model), `${what}: LanceDB reads`);
  assert.deepEqual(sorted(rowsOfPennon(c.path)), sorted(model), `${what}: pennon reads`);
  const info = JSON.parse(pennon(c.path, "", "table", "info", "--json"));
  assert.equal(info.rows, model.length, what);
  return info;
}

let n = 0;
async function cell([what, byPennon, byLance, model, check], version, isPennon) {
  const name = `t${n++}`, c = { name, path: `${folder}/${name}.lance`, version }, title = `${what}, ${version}, by ${isPennon ? "pennon" : "LanceDB"}`;
  const run = isPennon ? byPennon : byLance;
  if (!run) return "–";
  let rows = [];
  if (what !== "create") ({ table: c.table, model: rows } = await makeTable(name, version));
  c.createTheirs = (data) => db.createTable(name, theirs(data), { schema, storageOptions: { newTableDataStorageVersion: version } });
  try {
    await run(c);
  } catch (error) {
    assert.fail(`${title}: ${error.message}`);
  }
  rows = model(rows);
  const info = await compare(c, rows, title);
  assert.equal(info.data_format, version, title);
  if (check) await check(c);
  // The other one goes on.
  const last = row(900), keys = Object.keys(rows[0]);
  const more = Object.fromEntries(keys.map((k) => [k, k === "title" ? "row-900" : k === "more" ? (rows[0].more === null ? null : 7) : last[k]]));
  await c.table.add([{ ...more, id: 900n, ...(more.more != null && { more: 7n }) }]);
  await c.table.delete("id = 12");
  rows = rows.filter((r) => r.id !== 12).concat([more]);
  await compare(c, rows, `${title}, LanceDB goes on`);
  return "yes";
}

const cells = [];
for (const operation of operations) {
  const line = [operation[0]];
  for (const version of VERSIONS) for (const isPennon of [true, false]) line.push(await cell(operation, version, isPennon));
  cells.push(line);
  console.error(line.join(" | "));
}
const heads = VERSIONS.flatMap((v) => [`${v} p→L`, `${v} L→p`]);
console.log(["operation", ...heads].map((h) => `| ${h} `).join("") + "|");
console.log("|---".repeat(heads.length + 1) + "|");
for (const line of cells) console.log(line.map((x) => `| ${x} `).join("") + "|");
