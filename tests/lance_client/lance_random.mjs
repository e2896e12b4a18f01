// Random tables of LanceDB's own making, from a seed: types, nesting, nulls, values of every shape, batch sizes, storage versions, encodings asked
// for, and operations after the creation. Beside each table its answer: what LanceDB itself reads from it, as text (answer_text.mjs).
//   node lance_random.mjs FOLDER SEED N     prints a line a table: name, storage version, columns, operations
import { writeFileSync } from "node:fs";
import { blob, connect, Index } from "@lancedb/lancedb";
import { answerOf } from "./answer_text.mjs";
import { A, T, Chance, field, randomMetadata, randomTable, randomType } from "./random_columns.mjs";

const [folder, seedText, countText] = process.argv.slice(2);

// ---- operations
const plain = (f) => T.isInt(f.type) && f.name !== "id";
async function operate(c, table, state) {
  const kind = c.pick(["add", "add", "delete", "delete", "update", "merge", "new column", "cast column", "rename", "drop", "optimize", "index", "subset", "restore"]);
  const ids = () => c.pick([`id % ${c.between(2, 9)} = ${c.below(2)}`, `id >= ${c.below(state.next)} AND id < ${c.below(state.next)}`, `id < ${c.below(20)}`, `id = ${c.below(state.next)}`]);
  const more = () => { const n = c.pick([1, 5, 60, 300]), out = randomTable(c, state.schema, n, state.next, false); state.next += n; return out; };
  const number = state.schema.fields.find(plain), victim = state.schema.fields.find((f) => f.name !== "id");
  if (kind === "add") await table.inner.add(more(), "append");
  else if (kind === "delete") await table.delete(ids());
  else if (kind === "update" && number) await table.update({ where: ids(), valuesSql: { [number.name]: c.pick(["7", "NULL"]) === "NULL" && number.nullable ? "NULL" : "7" } });
  else if (kind === "merge") {
    const first = Math.max(0, state.next - 5), data = A.tableFromIPC(randomTable(c, state.schema, 9, first, false));
    state.next = Math.max(state.next, first + 9);
    await table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(data);
  } else if (kind === "new column" || kind === "cast column") {
    const name = "n" + state.added++, to = c.pick(["Decimal256(40, 2)", "LargeUtf8", "LargeBinary", "Time64(Nanosecond)", "LargeList(Int64)", "Float16", "Date64", 'Timestamp(Nanosecond, Some("UTC"))', "Duration(Second)", "Int8", "UInt64", "FixedSizeList(2, Int64)"]);
    const value = { "LargeBinary": "CAST(id AS string)", "LargeList(Int64)": "make_array(id, NULL, id + 1)", "FixedSizeList(2, Int64)": "make_array(id, id * 2)", "Int8": "id % 100", "Duration(Second)": "id", "Time64(Nanosecond)": "id", "Date64": "id * 86400000" }[to] ?? "id";
    if (to === "LargeList(Int64)" && kind === "cast column") state.large = { name, others: (await table.schema()).fields.map((f) => f.name) };
    await table.addColumns([{ name, valueSql: kind === "new column" ? "id * 3" : `arrow_cast(${value}, '${to}')` }]);
    state.grown = true;
  } else if (kind === "rename" && victim) {
    const to = "r" + state.added++;
    await table.alterColumns([{ path: victim.name, rename: to }]);
    state.schema = new A.Schema(state.schema.fields.map((f) => (f === victim ? new A.Field(to, f.type, f.nullable, f.metadata) : f)));
  } else if (kind === "drop" && victim && state.schema.fields.length > 2) {
    await table.dropColumns([victim.name]);
    state.schema = new A.Schema(state.schema.fields.filter((f) => f !== victim));
  } else if (kind === "optimize") await table.optimize();
  else if (kind === "index") {
    const rows = await table.countRows();
    const vectors = state.schema.fields.find((f) => f.type instanceof A.FixedSizeList && f.type.children[0].type instanceof A.Float32 && f.type.listSize % 8 === 0);
    if (vectors && rows >= 300 && !vectors.nullable) await table.createIndex(vectors.name, { config: Index.ivfFlat({ numPartitions: 2 }) });
    else if (rows > 0) await table.createIndex("id", { config: c.odds(50) ? Index.btree() : Index.bitmap() });
  } else if (kind === "subset" && victim?.nullable && state.schema.fields.length > 1) {
    const without = new A.Schema(state.schema.fields.filter((f) => f !== victim)), data = randomTable(c, without, 4, state.next, false);
    state.next += 4;
    await table.inner.add(data, "append");
  } else if (kind === "restore" && !state.restored) {
    state.restored = true;
    const before = Math.max(1, (await table.version()) - 1);
    await table.checkout(before);
    await table.restore();
    return "restore " + before;
  } else return null;
  return kind;
}
const afterRestore = async (table, state) => { // what the schema is now
  const at = await table.schema(), names = new Set(at.fields.map((f) => f.name));
  if (state.restored || state.grown) state.frozen = state.schema.fields.some((f) => !names.has(f.name)) || names.size !== state.schema.fields.length;
};

async function oneTable(db, seed) {
  const c = new Chance(seed), name = "t" + seed, version = c.pick(["2.0", "2.1", "2.1", "2.2", "2.2", "2.2", "2.3"]);
  const large = c.below(150) === 0, n = large ? c.pick([20000, 50000]) : c.pick([1, c.between(2, 20), c.between(20, 300), c.between(100, 1200), c.between(300, 3000)]);
  const columns = Array.from({ length: large ? 2 : c.between(1, 6) }, (_, i) => {
    const type = randomType(c, version, n);
    return field("c" + i, type, type instanceof A.Null || (c.odds(85) && !(version === "2.0" && type instanceof A.Struct)), randomMetadata(c, type, version));
  });
  const schema = new A.Schema([field("id", new A.Int64(), c.odds(50)), ...columns]);
  const options = { newTableDataStorageVersion: version, ...(c.odds(15) && { newTableEnableStableRowIds: "true" }), ...(c.odds(10) && { newTableEnableV2ManifestPaths: "false" }) };
  const state = { schema, next: n, added: 0 }, done = [];
  const inner = await db.inner.createTable(name, randomTable(c, schema, n, 0, c.odds(30)), "create", [], db.getStorageOptions({ storageOptions: options }));
  await inner.close?.();
  const table = await db.openTable(name);
  for (let left = c.below(5); left > 0; left--) {
    try {
      const what = await operate(c, table, state);
      if (what) done.push(what);
    } catch (error) { done.push("refused " + String(error.message).slice(0, 400).replace(/\s+/g, " ")); }
    if (state.large) break; // the client cannot say this schema
    await afterRestore(table, state);
    if (state.frozen) break;
  }
  return { name, version, columns, done, table, n, large: state.large };
}

const db = await connect(folder);
{ // a column of a kind that pennon does not read, which looks like a struct
  const table = await db.createTable("blobs", [{ id: 1n, b: Buffer.from("hello") }], { schema: new A.Schema([field("id", new A.Int64()), blob("b")]) });
  writeFileSync(`${folder}/blobs.answer`, await answerOf(table));
  console.log("blobs\t2.2\t1 rows: Int64, blob\t");
}
for (let i = 0; i < Number(countText); i++) {
  const seed = Number(seedText) + i;
  let made;
  try { made = await oneTable(db, seed); } catch (error) { console.log(`t${seed}\tnot made\t${String(error.message).slice(0, 600).replace(/\s+/g, " ")}`); continue; }
  try { writeFileSync(`${folder}/${made.name}.answer`, await answerOf(made.table, made.large)); } catch (error) { console.log(`t${seed}\tno answer\t${String(error.message).slice(0, 900).replace(/\s+/g, " ")}`); continue; }
  console.log(`${made.name}\t${made.version}\t${made.n} rows: ${made.columns.map((f) => f.type + (f.metadata.size ? "{" + [...f.metadata].map((p) => p.join("=").replace("lance-encoding:", "")) + "}" : "")).join(", ")}\t${made.done.join("; ")}`);
}
