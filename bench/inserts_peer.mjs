// inserts_peer.mjs - rows one by one: pennon beside LanceDB, in turn
//
//     node inserts_peer.mjs BENCH_INSERTS FOLDER [WRITERS] [SECONDS] [DIM] [ROUNDS]        default 1 5 512 3
//
// What pennon acknowledges is on the disk; LanceDB's client asks the disk for nothing. The last line is the ratio of the medians: above 1,
// pennon is faster.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as A from "apache-arrow";
import { connect } from "@lancedb/lancedb";

const [bench, folder] = process.argv.slice(2);
const [WRITERS, SECONDS, DIM, ROUNDS] = [1, 5, 512, 3].map((usual, i) => Number(process.argv[4 + i] ?? usual));
const type = new A.FixedSizeList(DIM, new A.Field("item", new A.Float32(), true));
const schema = new A.Schema([new A.Field("vector", type, false), new A.Field("image_path", new A.Utf8(), false)]);
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

async function theirs() {
  const home = `${folder}/lancedb`, times = [];
  try {
    const table = await (await connect(home)).createEmptyTable("t", schema);
    const start = performance.now();
    const write = async () => {
      for (let now = performance.now(), end; now - start < SECONDS * 1e3; now = end) {
        const vector = Array.from({ length: DIM }, () => Math.random() - 0.5);
        await table.add([{ vector, image_path: String(times.length) }]);
        end = performance.now();
        times.push(end - now);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    const per_s = (times.length * 1e3) / (performance.now() - start);
    times.sort((a, b) => a - b);
    const at = (share) => Number(times[Math.floor(times.length * share)].toFixed(2));
    console.log(`lancedb ${JSON.stringify({ what: "inserts", writers: WRITERS, rows: times.length, per_s: Number(per_s.toFixed(1)), p50_ms: at(0.5), p99_ms: at(0.99) })}`);
    return per_s;
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}

function ours() {
  let per_s;
  for (const line of execFileSync(bench, [folder, WRITERS, SECONDS, DIM], { encoding: "utf8" }).trim().split("\n")) {
    console.log(`pennon  ${line}`);
    per_s = JSON.parse(line).per_s;
  }
  return per_s;
}

const rates = { ours: [], theirs: [] };
for (let i = 0; i < ROUNDS; i++) {
  rates.ours.push(ours());
  rates.theirs.push(await theirs());
}
console.log(`ratio   ${(median(rates.ours) / median(rates.theirs)).toFixed(2)}`);
