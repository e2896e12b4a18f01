// table_peer.mjs - pennon's table beside LanceDB's, in the same minutes
//
//     node table_peer.mjs BENCH_TABLE FOLDER [ROWS] [DIM] [ROUNDS]
//
// FOLDER needs room for two tables in turn. LanceDB gets its rows as Arrow tables of 65,536 rows in one add(); its answers are Arrow
// batches, of which every value is there but none is looked at. Both are warm. The last lines are the ratios: above 1, pennon is faster.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as A from "apache-arrow";
import { connect } from "@lancedb/lancedb";

const [bench, folder] = process.argv.slice(2);
const [N, DIM, ROUNDS] = [300000, 512, 21].map((usual, i) => Number(process.argv[4 + i] ?? usual));
const ours = {};
for (const line of execFileSync(bench, [folder, N, DIM, ROUNDS], { encoding: "utf8" }).trim().split("\n")) {
  console.log(`pennon  ${line}`);
  const one = JSON.parse(line);
  ours[one.what] = one;
}

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const timed = async (rounds, run) => {
  const times = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await run();
    times.push((performance.now() - start) / 1e3);
  }
  return median(times);
};
const type = new A.FixedSizeList(DIM, new A.Field("item", new A.Float32(), true));
const schema = new A.Schema([new A.Field("id", new A.Int64(), false), new A.Field("vector", type, false)]);
const floats = Float32Array.from({ length: 65536 * DIM }, () => Math.random() - 0.5);
const batches = [];
for (let first = 0; first < N; first += 65536) {
  const n = Math.min(65536, N - first);
  const ids = BigInt64Array.from({ length: n }, (_, i) => BigInt(first + i));
  const child = A.makeData({ type: new A.Float32(), data: floats.subarray(0, n * DIM) });
  const columns = [A.makeData({ type: new A.Int64(), data: ids }), A.makeData({ type, length: n, nullCount: 0, child })];
  batches.push(new A.RecordBatch(schema, A.makeData({ type: new A.Struct(schema.fields), length: n, nullCount: 0, children: columns })));
}
const bytes = N * DIM * 4, home = `${folder}/lancedb`;
const db = await connect(home), theirs = {};
const tell = (what, fields) => {
  theirs[what] = fields;
  console.log(`lancedb ${JSON.stringify({ what, ...fields })}`);
};
try {
  const made = await db.createEmptyTable("t", schema);
  const part = 4; // a request of more than 2 GiB is none for it
  const start = performance.now();
  for (let i = 0; i < batches.length; i += part) await made.add(new A.Table(schema, batches.slice(i, i + part)));
  const seconds = (performance.now() - start) / 1e3;
  tell("append", { seconds, mb_per_s: Math.round(bytes / seconds / 1e6) });
  tell("open", { ms: 1e3 * (await timed(ROUNDS, async () => { if ((await (await db.openTable("t")).countRows()) !== N) throw new Error("rows"); })) });
  const table = await db.openTable("t");
  const scan = await timed(3, async () => {
    let n = 0;
    for await (const batch of table.query().select(["vector"])) n += batch.numRows;
    if (n !== N) throw new Error(`${n} rows`);
  });
  tell("scan", { gb_per_s: bytes / scan / 1e9 });
  const take = await timed(ROUNDS, async () => {
    const at = Array.from({ length: 1000 }, () => Math.floor(Math.random() * N));
    const rows = await table.takeOffsets(at).toArrow();
    if (rows.numRows < 990) throw new Error(`${rows.numRows} rows`); // one that is asked for twice comes once
  });
  tell("take", { rows: 1000, ms: take * 1e3 });
} finally {
  fs.rmSync(home, { recursive: true, force: true });
}
for (const [what, ratio] of [["append", ours.append.mb_per_s / theirs.append.mb_per_s], ["open", theirs.open.ms / ours.open.ms],
  ["scan", ours.scan.gb_per_s / theirs.scan.gb_per_s], ["take", theirs.take.ms / ours.take.ms]])
  console.log(`ratio   ${what} ${ratio.toFixed(2)}`);
