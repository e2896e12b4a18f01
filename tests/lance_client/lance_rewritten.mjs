// Random nested tables from a seed: lists, structs and maps in each other with nulls and empties at every depth, booleans, vectors, strings short and long,
// in each version that pennon writes (2.0 has no null structs, and no maps). LanceDB makes the table, then pennon and LanceDB write it anew in turn. After each turn LanceDB must read what was put
// in, value by value; only what LanceDB itself has written last may be unreadable to it, and then pennon's next turn must bring everything back.
//   node lance_rewritten.mjs FOLDER SEED N     prints a line a table: name, storage version, what came of it, columns; NAME.answer: its last rows in order
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "@lancedb/lancedb";
import { textOf } from "./answer_text.mjs";
import { A, T, Chance, field, randomTable, scalar, scalars, settings } from "./random_columns.mjs";

const [folder, seedText, countText] = process.argv.slice(2);

function vector(c) {
  let item;
  do item = c.pick(scalars)(c); while (item instanceof A.Bool || item instanceof A.FixedSizeBinary);
  return new A.FixedSizeList(c.pick([1, 2, 3, 7, 8, 16, 100, 300]), field("item", item, c.odds(70)));
}
const dictionary = (c) => new A.Dictionary(c.pick([new A.Utf8(), new A.Utf8(), new A.Int32(), new A.Binary(), new A.Float64(), new A.LargeUtf8()]), c.pick([new A.Int8(), new A.Int16(), new A.Int32(), new A.Uint8(), new A.Uint16()]));
// In 2.1 a value of over 8 KiB has no place in a row of nested lists beside an empty or null one, with a struct that may be null around (docs/FORMAT.md).
function mayClash(f, lists = 0, hides = false, pending = false) { // pending: such a struct, which hides something as soon as a list follows
  const { type } = f;
  if (type instanceof A.List || type instanceof A.Map_) return mayClash(type.children[0], lists + 1, hides || pending, pending);
  if (type instanceof A.Struct) return type.children.some((member) => mayClash(member, lists, hides, pending || f.nullable));
  return lists > 1 && hides && [T.isUtf8, T.isBinary, T.isLargeUtf8, T.isLargeBinary].some((is) => is(type));
}
function nestedType(c, version, depth = 0) {
  const roll = depth === 0 ? c.below(64) : c.below(60 + 30 * depth);
  if (depth < 5 && roll < 28) return new A.List(field("item", nestedType(c, version, depth + 1), c.odds(85)));
  if (depth < 5 && roll < 56) return new A.Struct(Array.from({ length: c.between(1, 3) }, (_, i) => field("s" + i, nestedType(c, version, depth + 1), c.odds(85))));
  if (depth < 4 && roll < 64 && version >= "2.2") {
    const entries = new A.Struct([field("key", c.odds(80) ? new A.Utf8() : new A.Int32(), false), field("value", nestedType(c, version, depth + 2))]);
    return new A.Map_(field("entries", entries, false));
  }
  return c.odds(12) ? vector(c) : c.odds(10) ? new A.Bool() : depth === 0 && c.odds(40) ? dictionary(c) : scalar(c);
}
const said = (error) => String(error.message).replace(/\s+/g, " ").slice(0, 500);
const sorted = (ids) => ids.map((id, i) => [Number(id), i]).sort((a, b) => a[0] - b[0]).map((pair) => pair[1]);

// Columns of several pages, of which only the first has nulls.
function ofManyPages(nullStructs) {
  const early = (n) => (i) => i < n / 8 && i % 5 === 1, none = { nullCount: 0 };
  const nulls = (n, isNull) => { const bits = new Uint8Array(Math.ceil(n / 8) + 8).fill(255); let nullCount = 0; for (let i = 0; i < n; i++) if (isNull(i)) { bits[i >> 3] &= ~(1 << (i & 7)); nullCount++; } return { nullBitmap: bits, nullCount }; };
  const offsets = (n, length) => { const at = new Int32Array(n + 1); for (let i = 0; i < n; i++) at[i + 1] = at[i] + length(i); return at; };
  const bytes = (n, length, isNull) => A.makeData({ type: new A.Binary(), length: n, valueOffsets: offsets(n, () => length), data: new Uint8Array(n * length).fill(7), ...(isNull ? nulls(n, isNull) : none) });
  const list = (child, valueOffsets, valid = none) => A.makeData({ type: new A.List(field("item", child.type)), length: valueOffsets.length - 1, valueOffsets, child, ...valid });
  const struct = (child, valid) => A.makeData({ type: new A.Struct([field("s", child.type)]), length: child.length, children: [child], ...(nullStructs ? valid : none) });
  const n = 2300, few = offsets(n, (i) => i % 7), lists = offsets(few[n], (i) => i % 3), one = offsets(n, (i) => i % 2);
  const columns = {
    items: list(bytes(few[n], 1700, early(few[n])), few), structs: list(struct(bytes(few[n], 1700), nulls(few[n], early(few[n]))), few),
    hidden: struct(list(bytes(few[n], 1700, early(few[n])), few), nulls(n, early(n))), deep: list(struct(list(bytes(lists[few[n]], 1700), lists), nulls(few[n], early(few[n]))), few),
    wide: struct(list(bytes(one[n], 9500), one), nulls(n, (i) => i % 50 === 3)), // in 2.1 a page for rows with a value and one for those without
  };
  return inTwo(n, columns);
}
// Over a million lists of lists: of 2.0 a page of lists is full, and those of its items end with it.
function ofManyLists() {
  const n = 1100000, none = { nullCount: 0 }, offsets = (n, length) => { const at = new Int32Array(n + 1); for (let i = 0; i < n; i++) at[i + 1] = at[i] + length(i); return at; };
  const outer = offsets(n, (i) => (i * 7) % 5), inner = offsets(outer[n], (i) => (i % 5 === 1 ? 2 : 0));
  const bytes = A.makeData({ type: new A.Int8(), length: inner[outer[n]], data: Int8Array.from({ length: inner[outer[n]] }, (_, i) => i % 101), ...none });
  const list = (child, valueOffsets) => A.makeData({ type: new A.List(field("item", child.type)), length: valueOffsets.length - 1, valueOffsets, child, ...none });
  return inTwo(n, { lists: list(list(bytes, inner), outer) });
}
function inTwo(n, columns) {
  const id = A.makeData({ type: new A.Int64(), length: n, nullCount: 0, data: BigInt64Array.from({ length: n }, (_, i) => BigInt(i)) });
  const schema = new A.Schema([field("id", id.type, false), ...Object.entries(columns).map(([name, data]) => field(name, data.type))]);
  const table = new A.Table(schema, [new A.RecordBatch(schema, A.makeData({ type: new A.Struct(schema.fields), length: n, nullCount: 0, children: [id, ...Object.values(columns)] }))]);
  return [100, n].map((end, i) => Buffer.from(A.tableToIPC(table.slice(i * 100, end), "file")));
}

async function oneTable(db, seed) {
  const c = new Chance(seed), version = c.pick(["2.0", "2.0", "2.1", "2.2", "2.2", "2.3"]);
  settings.nullStructs = version !== "2.0";
  const n = c.pick([2, c.between(2, 20), c.between(20, 300), c.between(300, 3000)]), more = c.between(1, 100), big = c.pick([false, true, "inside"]);
  const columns = Array.from({ length: c.between(1, 3) }, (_, i) => field("c" + i, nestedType(c, version), c.odds(90)));
  const schema = new A.Schema([field("id", new A.Int64(), false), ...columns]);
  const clash = version === "2.1" && big === "inside" && columns.some((f) => mayClash(f));
  await inTurn(db, c, "w" + seed, version, [randomTable(c, schema, n, 0, big), randomTable(c, schema, more, n, big)], clash);
}

// parts: what is put in at first, then what is added; ids count the rows.
async function inTurn(db, c, name, version, parts, clash) {
  const path = `${folder}/${name}.lance`, rows = parts.map((bytes) => A.tableFromIPC(bytes)).reduce((a, b) => a.concat(b)), text = textOf(rows);
  const told = (what) => console.log(`${name}\t${version}\t${what}\t${rows.numRows} rows: ${rows.schema.fields.map((f) => f.type + (f.nullable ? "" : " not null")).join(", ")}`);
  let table;
  try {
    const inner = await db.inner.createTable(name, parts[0], "create", [], db.getStorageOptions({ storageOptions: { newTableDataStorageVersion: version } }));
    await inner.close?.();
    table = await db.openTable(name);
    await table.inner.add(parts[1], "append");
  } catch (error) { return told("not made: " + said(error)); }
  const differs = async () => { // undefined: LanceDB reads what was put in
    try {
      await table.checkoutLatest();
      const seen = await table.query().toArrow();
      return textOf(seen, seen.schema.fields, [], sorted([...seen.getChild("id")])) === text ? undefined : "other values";
    } catch (error) { return "not read: " + said(error); }
  };
  const pennon = (...args) => {
    const done = spawnSync(process.env.DATASET_TOOL, [path, ...args], { encoding: "utf8" });
    return done.status === 0 ? undefined : "not written: " + done.stderr.trim();
  };
  const lance = async () => { await table.checkoutLatest(); await table.optimize(); };
  const own = [], turns = [["made"], ["compacted by pennon", "compact"], ["rows moved by pennon", "move", `id % ${c.between(2, 5)} = 1`], ["optimized", null],
    ["overwritten by pennon", "overwrite", "id >= 0"], ["rows moved once more", "move", "id % 7 = 0"], ["optimized again", null]];
  for (const [turn, ...args] of turns) {
    const byPennon = args.length > 0 && args[0] !== null;
    try { if (args[0] === null) await lance(); } catch (error) { own.push(`${turn}: ${said(error)}`); continue; }
    const wrong = (byPennon && pennon(...args)) || (await differs());
    if (/^not written: .* more: the limit is/.test(wrong)) return told("large: " + turn); // rows that random widths made too many bytes
    if (wrong && byPennon) return told(`${clash ? "clash" : "FAILED"}: ${turn}: ${wrong} (${own.join("; ") || "read"})`);
    if (wrong) own.push(`${turn}: ${wrong}`);
  }
  const order = [...(await table.query().select(["id"]).toArrow()).getChild("id")].map(Number); // ids are rows
  writeFileSync(`${folder}/${name}.answer`, textOf(rows, rows.schema.fields, [], order));
  told(own.length === 0 ? "same" : `same (${own.join("; ")})`);
}

const db = await connect(folder);
for (const version of ["2.0", "2.1", "2.2"]) await inTurn(db, new Chance(1), "pages" + version[2], version, ofManyPages(version !== "2.0"), false);
await inTurn(db, new Chance(1), "lists0", "2.0", ofManyLists(), false);
for (let i = 0; i < Number(countText); i++) await oneTable(db, Number(seedText) + i);
