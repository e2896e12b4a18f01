// ann_usearch.mjs - usearch (npm: usearch), see ann_peer.mjs
//
// CONFIG is scalar:connectivity:expansion_add, as f32:16:128 or i8:16:128; a setting is expansion_search. On two threads it answers all
// queries as one batch, which costs it no call a query.
import { DIM, K, diskMib, loadQueries, measure, need, note, ownMib, parse, rowsOf } from "./ann_peer.mjs";

const { Index, MetricKind } = need("usearch");
const PART = 50000;
const o = parse();
const peer = `usearch ${o.config}`;
const [quantization, connectivity, expansion] = o.config.split(":");
const make = (expansionSearch) =>
  new Index({
    dimensions: DIM,
    metric: MetricKind.IP,
    quantization,
    connectivity: Number(connectivity),
    expansion_add: Number(expansion),
    expansion_search: expansionSearch,
    multi: false,
  });

const build = () => {
  const index = make(64);
  const start = performance.now();
  const cpu = process.cpuUsage();
  for (let first = 0; first < o.rows; first += PART) {
    const n = Math.min(PART, o.rows - first);
    index.add(BigUint64Array.from({ length: n }, (_, i) => BigInt(first + i)), rowsOf(o, first, n), Number(o.threads));
  }
  const spent = process.cpuUsage(cpu);
  note(peer, o, "build_s", (performance.now() - start) / 1e3);
  note(peer, o, "build_cpu_s", (spent.user + spent.system) / 1e6);
  note(peer, o, "build_own_mib", ownMib());
  index.save(o.index);
  note(peer, o, "disk_mib", diskMib(o.index));
};

const search = async () => {
  const q = loadQueries(o);
  const before = ownMib();
  for (const [i, setting] of o.settings.split(",").entries()) {
    const start = performance.now();
    const index = make(Number(setting));
    index.load(o.index); // there is no other way to another expansion
    index.search(q.vector(0), K, 1);
    if (i === 0) {
      note(peer, o, "open_s", (performance.now() - start) / 1e3);
      note(peer, o, "memory_mib", ownMib() - before);
    }
    await measure(
      peer, o, `expansion=${setting}`, q,
      (vector) => Array.from(index.search(vector, K, 1).keys, Number),
      (_, turns) => index.search(Array.from({ length: turns * q.n }, (_, i) => q.vector(i % q.n)), K, 2),
    );
  }
};

if (o.build) build();
else await search();
