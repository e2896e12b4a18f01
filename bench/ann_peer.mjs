// ann_peer.mjs - how a library of the npm registry is measured beside pennon
//
// The command line and the lines that are printed are those of ann_peer.hpp, and so is what is timed. $ANN_NPM is a folder with
// node_modules. "On 2 threads" is whatever the library makes of several turns of all queries when it may use two; see each peer.
import * as fs from "node:fs";
import { createRequire } from "node:module";

export const DIM = 512;
export const K = 10;
const MOST_TURNS = 5;
const TURNS_S = 1.5;
export const need = createRequire(`${process.env.ANN_NPM}/package.json`);

const bytesOf = (path, offset, length) => {
  const bytes = Buffer.alloc(length);
  const file = fs.openSync(path);
  for (let at = 0; at < length; ) {
    const n = fs.readSync(file, bytes, at, Math.min(length - at, 1 << 30), offset + at);
    if (n === 0) throw new Error(`${path} is too short`);
    at += n;
  }
  fs.closeSync(file);
  return bytes;
};
const floatsOf = (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

export const parse = () => {
  const [data, rows, index, verb, ...rest] = process.argv.slice(2);
  const o = { data, rows: Number(rows), index, build: verb === "build", kind: "i", queries: "1000", settings: "", threads: "2" };
  for (let i = 0; i + 1 < rest.length; i += 2) o[rest[i].slice(2)] = rest[i + 1];
  return o;
};

// Rows [first, first + n) of the base, one after another.
export const rowsOf = (o, first, n) => floatsOf(bytesOf(`${o.data}/base.f32`, first * DIM * 4, n * DIM * 4));

export const note = (peer, o, what, value) => console.log(`#\t${peer}\t${o.rows}\t${what}\t${value.toFixed(3)}`);

// Memory of the process that no file backs.
export const ownMib = () => Number(/RssAnon:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1]) / 1024;

export const diskMib = (path) => {
  const st = fs.statSync(path);
  if (!st.isDirectory()) return st.size / 1048576;
  return fs.readdirSync(path).reduce((sum, name) => sum + diskMib(`${path}/${name}`), 0);
};

export const loadQueries = (o) => {
  const path = `${o.data}/gt${o.kind}.${o.rows}`;
  const truth = bytesOf(path, 0, fs.statSync(path).size);
  const [all, k] = new Int32Array(truth.buffer, truth.byteOffset, 2);
  const n = Math.min(all, Number(o.queries));
  const vectors = floatsOf(bytesOf(`${o.data}/q${o.kind}.f32`, 0, all * DIM * 4));
  const scores = floatsOf(truth.subarray(8 + 4 * all * k));
  return { n, vector: (i) => vectors.subarray(i * DIM, (i + 1) * DIM), last: (i) => scores[i * k + K - 1] };
};

let base;
const countRight = (o, q, query, ids) => {
  base ??= fs.openSync(`${o.data}/base.f32`);
  const row = new Float32Array(DIM);
  const x = q.vector(query);
  let right = 0;
  for (const id of new Set(ids)) {
    fs.readSync(base, new Uint8Array(row.buffer), 0, DIM * 4, id * DIM * 4);
    let score = 0;
    for (let d = 0; d < DIM; d++) score += x[d] * row[d];
    right += score >= q.last(query) - 1e-6;
  }
  return right;
};

// search(vector) gives ids, or a promise of them; searchAll(q, turns) answers all queries so often on two threads.
export const measure = async (peer, o, setting, q, search, searchAll) => {
  let right = 0;
  for (let i = 0; i < q.n; i++) right += countRight(o, q, i, await search(q.vector(i)));
  let best = Infinity;
  let bestTimes = [];
  const start = performance.now();
  for (let turn = 0; turn < MOST_TURNS && (turn === 0 || performance.now() - start < 1e3 * TURNS_S); turn++) {
    const times = new Float64Array(q.n);
    const first = performance.now();
    let last = first;
    for (let i = 0; i < q.n; i++) {
      const answer = search(q.vector(i));
      if (answer instanceof Promise) await answer;
      const now = performance.now();
      times[i] = now - last;
      last = now;
    }
    if (last - first < best) [best, bestTimes] = [last - first, times];
  }
  bestTimes.sort();
  const two = performance.now();
  const turns = best > 1e3 ? 1 : 4;
  await searchAll(q, turns);
  const perSecond = (1e3 * turns * q.n) / (performance.now() - two);
  const us = (share) => (1e3 * bestTimes[Math.floor(q.n * share)]).toFixed(0);
  const kind = o.kind === "i" ? "image" : "text";
  const fields = [peer, o.rows, setting, kind, (right / (K * q.n)).toFixed(4), ((1e3 * q.n) / best).toFixed(0), us(0.5), us(0.99), perSecond.toFixed(0)];
  console.log(fields.join("\t"));
};
