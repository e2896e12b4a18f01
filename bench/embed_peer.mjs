// embed_peer.mjs - bench_embed and ONNX Runtime in turn, on the same weights, inputs and threads
//
//   node embed_peer.mjs DIR BENCH_EMBED [THREADS] [ROUNDS] [SECONDS]
//
// DIR holds the model of bench_embed --write, the graphs of embed_onnx.py, and node_modules with onnxruntime-node. Every round
// runs each case once in each program, seconds apart, and the ratio is taken inside a round: on a shared machine times
// move by a third within minutes, ratios by a few per cent. One JSON line a case: medians over the rounds, ratio above
// 1 when pennon is faster, and the least cosine between the two programs' vectors.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [, self, dir, bench, threadsText = '2', roundsText = '5', secondsText = '2', child] = process.argv;
const threads = Number(threadsText), rounds = Number(roundsText), seconds = Number(secondsText);
const cases = [
  { name: 'image-1', batch: 1 }, { name: 'image-8', batch: 8 },
  { name: 'text-8', batch: 1, tokens: 8 }, { name: 'text-20', batch: 1, tokens: 20 },
  { name: 'text-77', batch: 1, tokens: 77 }, { name: 'text-20x32', batch: 32, tokens: 20 },
];
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const dump = (program, c) => path.join(dir, `${program}-${c.name}.f32`);

// The same numbers as bench_embed's.
function pixels(batch) {
  const out = new Float32Array(batch * 3 * 224 * 224);
  let state = 12345;
  for (let i = 0; i < out.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = Math.fround(Math.fround(Math.fround((state >>> 8) / 16777216) * 4) - 2);
  }
  return out;
}

function tokens(batch, length) {
  const out = new BigInt64Array(batch * length);
  for (let i = 0; i < batch; i++) {
    for (let j = 1; j + 1 < length; j++) out[i * length + j] = BigInt((j * 7919 + i * 104729) % 49000);
    out[i * length] = 49406n;
    out[i * length + length - 1] = 49407n;
  }
  return out;
}

// One case of ONNX Runtime, in a process of its own.
async function runPeer(c) {
  const ort = createRequire(path.resolve(dir, 'x.js'))('onnxruntime-node');
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', logSeverityLevel: 3 };
  const session = await ort.InferenceSession.create(path.join(dir, c.tokens ? 'text.onnx' : 'image.onnx'), options);
  const feed = c.tokens
    ? { t: new ort.Tensor('int64', tokens(c.batch, c.tokens), [c.batch, c.tokens]) }
    : { x: new ort.Tensor('float32', pixels(c.batch), [c.batch, 3, 224, 224]) };
  let result;
  for (let i = 0; i < 3; i++) result = (await session.run(feed)).y;
  fs.writeFileSync(dump('peer', c), new Uint8Array(result.data.buffer, result.data.byteOffset, result.data.byteLength));
  const times = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end || times.length < 5;) {
    const start = performance.now();
    await session.run(feed);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  console.log(JSON.stringify({ case: c.name, ms_min: times[0], ms_med: times[times.length >> 1], runs: times.length }));
}

function lastLine(program, args, name) {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  const lines = (done.stdout || '').split('\n').filter((line) => line.startsWith('{') && JSON.parse(line).case === name);
  if (done.status !== 0 || lines.length === 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.error}`);
  return JSON.parse(lines.at(-1));
}

const runOurs = (c) => lastLine(bench, ['--model', dir, '--threads', String(threads), '--seconds', String(seconds),
  '--case', c.name, '--dump', dump('ours', c)], c.name);
const spawnPeer = (c) => lastLine(process.execPath, [self, dir, bench, threadsText, roundsText, secondsText, c.name], c.name);

function leastCosine(c) {
  const read = (file) => { const b = fs.readFileSync(file); return new Float32Array(b.buffer, b.byteOffset, b.length / 4); };
  const a = read(dump('ours', c)), b = read(dump('peer', c)), dim = a.length / c.batch;
  let least = 1;
  for (let i = 0; i < c.batch; i++) {
    let ab = 0, aa = 0, bb = 0;
    for (let j = i * dim; j < (i + 1) * dim; j++) { ab += a[j] * b[j]; aa += a[j] * a[j]; bb += b[j] * b[j]; }
    least = Math.min(least, ab / Math.sqrt(aa * bb));
  }
  return least;
}

if (child) {
  await runPeer(cases.find((c) => c.name === child));
} else {
  for (const c of cases) {
    const ours = [], peers = [], ratios = [];
    for (let round = 0; round < rounds; round++) {
      const peer = spawnPeer(c), our = runOurs(c);
      ours.push(our.ms_med / c.batch);
      peers.push(peer.ms_med / c.batch);
      ratios.push(peer.ms_med / our.ms_med);
    }
    console.log(JSON.stringify({ case: c.name, threads, rounds, pennon_ms_item: +median(ours).toFixed(3),
      ort_ms_item: +median(peers).toFixed(3), ratio: +median(ratios).toFixed(3), ratio_min: +Math.min(...ratios).toFixed(3),
      ratio_max: +Math.max(...ratios).toFixed(3), cosine: leastCosine(c) }));
  }
}
