// ann_lancedb.mjs - LanceDB (npm: @lancedb/lancedb apache-arrow), see ann_peer.mjs
//
// CONFIG is ivf_flat, ivf_pq, ivf_rq or hnsw_sq, with LanceDB's own choice of everything else; a setting is nprobes:refine_factor (0:
// no refinement), of hnsw_sq nprobes:ef:refine_factor. INDEX is a folder, with the table as well. LanceDB may use all cores within one
// query; "on 2 threads" it has four queries in flight.
import { DIM, K, diskMib, loadQueries, measure, need, note, ownMib, parse, rowsOf } from "./ann_peer.mjs";

const lancedb = need("@lancedb/lancedb");
const arrow = need("apache-arrow");
const PART = 100000;
const o = parse();
const peer = `lancedb ${o.config}`;
const db = await lancedb.connect(o.index);

const item = new arrow.Field("item", new arrow.Float32(), true);
const list = new arrow.FixedSizeList(DIM, item);
const schema = new arrow.Schema([new arrow.Field("id", new arrow.Int32(), false), new arrow.Field("vector", list, true)]);

const batchOf = (first, n) => {
  const ids = arrow.makeData({ type: new arrow.Int32(), data: Int32Array.from({ length: n }, (_, i) => first + i) });
  const child = arrow.makeData({ type: new arrow.Float32(), data: rowsOf(o, first, n), length: n * DIM, nullCount: 0 });
  const vectors = arrow.makeData({ type: list, length: n, nullCount: 0, child });
  const struct = arrow.makeData({ type: new arrow.Struct(schema.fields), length: n, nullCount: 0, children: [ids, vectors] });
  return new arrow.Table(schema, new arrow.RecordBatch(schema, struct));
};

// The table is kept for other configurations.
const fill = async () => {
  if ((await db.tableNames()).includes("rows")) return db.openTable("rows");
  const table = await db.createEmptyTable("rows", schema);
  for (let first = 0; first < o.rows; first += PART) await table.add(batchOf(first, Math.min(PART, o.rows - first)));
  return table;
};

const kinds = {
  ivf_flat: () => lancedb.Index.ivfFlat({ distanceType: "cosine" }),
  ivf_pq: () => lancedb.Index.ivfPq({ distanceType: "cosine" }),
  ivf_rq: () => lancedb.Index.ivfRq({ distanceType: "cosine" }),
  hnsw_sq: () => lancedb.Index.hnswSq({ distanceType: "cosine" }),
};

const build = async () => {
  const table = await fill();
  const start = performance.now();
  const cpu = process.cpuUsage();
  await table.createIndex("vector", { config: kinds[o.config](), replace: true, waitTimeoutSeconds: 36000 });
  const spent = process.cpuUsage(cpu);
  note(peer, o, "build_s", (performance.now() - start) / 1e3);
  note(peer, o, "build_cpu_s", (spent.user + spent.system) / 1e6);
  note(peer, o, "build_own_mib", ownMib());
  await table.optimize({ cleanupOlderThan: new Date() });
  note(peer, o, "disk_mib", diskMib(`${o.index}/rows.lance/_indices`));
};

const search = async () => {
  const q = loadQueries(o);
  const before = ownMib();
  const start = performance.now();
  const table = await (await lancedb.connect(o.index)).openTable("rows");
  const searchWith = (setting) => async (vector) => {
    const [nprobes, ...rest] = setting.split(":").map(Number);
    let query = table.query().nearestTo(vector).distanceType("cosine").select(["id", "_distance"]).limit(K).nprobes(nprobes);
    if (o.config === "hnsw_sq") query = query.ef(rest.shift());
    if (rest[0] > 0) query = query.refineFactor(rest[0]);
    const answer = await query.toArrow();
    return answer.getChild("id").toArray();
  };
  const settings = o.settings.split(",");
  await searchWith(settings[0])(q.vector(0));
  note(peer, o, "open_s", (performance.now() - start) / 1e3);
  for (const setting of settings) {
    const one = searchWith(setting);
    await measure(peer, o, `nprobes=${setting}`, q, one, async (_, turns) => {
      let next = 0;
      const work = async () => {
        while (next < turns * q.n) await one(q.vector(next++ % q.n));
      };
      await Promise.all([work(), work(), work(), work()]);
    });
  }
  note(peer, o, "memory_mib", ownMib() - before);
};

if (o.build) await build();
else await search();
