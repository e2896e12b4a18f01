// node lance_inserts.mjs FOLDER ROWS: the tables that tests/collection/test_small_writes.c left there, seen by LanceDB. The path of a row is
// its number; all vectors are different.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { connect } from "@lancedb/lancedb";

const [folder, rows] = process.argv.slice(2), N = Number(rows);
const count = (name) => Number(execFileSync(process.env.PENNON, ["count", "--table", `${folder}/${name}.lance`], { encoding: "utf8" }));

async function check(db, name) {
  const table = await db.openTable(name);
  const stats = await table.stats();
  assert.equal(await table.countRows(), N, name);
  assert.ok(stats.fragmentStats.numFragments < 100, `${name}: ${stats.fragmentStats.numFragments} fragments`);
  const all = await table.query().toArray();
  assert.deepEqual(all.map((row) => Number(row.image_path)).sort((a, b) => a - b), Array.from({ length: N }, (_, i) => i), name);
  assert.equal(new Set(all.map((row) => row.id)).size, N, name);
  for (let i = 0; i < N; i += Math.ceil(N / 20)) {
    const [first] = await table.query().nearestTo(Float32Array.from(all[i].vector)).limit(1).toArray();
    assert.equal(first.image_path, all[i].image_path, name);
    assert.equal(await table.countRows(`image_path = '${i}'`), 1, name);
  }
  await table.delete("image_path = '0'");
  await table.add([{ id: BigInt(N) * 2n, vector: Array.from(all[0].vector), image_path: "more" }]);
  await table.add([{ id: BigInt(N) * 2n + 1n, vector: Array.from(all[1].vector), image_path: "more" }]);
  await table.optimize();
  assert.equal(count(name), N + 1, name);
  console.log(`${name}: ${N} rows in ${stats.fragmentStats.numFragments} fragments, version ${await table.version()}`);
}

const db = await connect(folder);
for (const name of ["two_processes", "one_by_one"]) await check(db, name);
