// embed_peer.mjs - bench_embed and ONNX Runtime in turn, on the same weights, inputs and threads
//
//   node embed_peer.mjs DIR BENCH_EMBED [THREADS] [ROUNDS] [SECONDS] [PAIRS] [CASES]
//
// DIR holds the model of bench_embed --write, the graphs of embed_onnx.py, and node_modules with onnxruntime-node. PAIRS says
// which precisions meet, as OURS:PEER with commas between (exact:f32,int8:f32,int8:int8), CASES which cases. Every round runs
// each program once for each case and precision, seconds apart, and the ratio is taken inside a round: on a shared machine
// times move by a third within minutes, ratios by a few per cent. One JSON line a case and pair: medians over the rounds, ratio
// above 1 when pennon is faster, and the least cosine between the two programs' vectors.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [, self, dir, bench, threadsText = '2', roundsText = '5', secondsText = '2', pairsText = 'exact:f32', casesText = '', child] = process.argv;
const threads = Number(threadsText), rounds = Number(roundsText), seconds = Number(secondsText);
const cases = [
  { name: 'image-1', batch: 1 }, { name: 'image-8', batch: 8 }, { name: 'image-32', batch: 32 },
  { name: 'text-8', batch: 1, tokens: 8 }, { name: 'text-20', batch: 1, tokens: 20 },
  { name: 'text-77', batch: 1, tokens: 77 }, { name: 'text-20x32', batch: 32, tokens: 20 },
];
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const pairs = pairsText.split(',').map((pair) => pair.split(':'));
const dump = (program, c, precision) => path.join(dir, `${program}-${c.name}-${precision}.f32`);

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
async function runPeer(c, precision) {
  const ort = createRequire(path.resolve(dir, 'x.js'))('onnxruntime-node');
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', logSeverityLevel: 3 };
  const session = await ort.InferenceSession.create(path.join(dir, `${c.tokens ? 'text' : 'image'}${precision === 'int8' ? '-int8' : ''}.onnx`), options);
  const feed = c.tokens
    ? { t: new ort.Tensor('int64', tokens(c.batch, c.tokens), [c.batch, c.tokens]) }
    : { x: new ort.Tensor('float32', pixels(c.batch), [c.batch, 3, 224, 224]) };
  let result;
  for (let i = 0; i < 3; i++) result = (await session.run(feed)).y;
  fs.writeFileSync(dump('peer', c, precision), new Uint8Array(result.data.buffer, result.data.byteOffset, result.data.byteLength));
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

const runOurs = (c, precision) => lastLine(bench, ['--model', dir, '--threads', String(threads), '--seconds', String(seconds),
  '--precision', precision, '--cache', path.join(dir, 'cache'), '--case', c.name, '--dump', dump('ours', c, precision)], c.name);
const spawnPeer = (c, precision) => lastLine(process.execPath, [self, dir, bench, threadsText, roundsText, secondsText, pairsText,
  casesText, `${c.name}:${precision}`], c.name);

function leastCosine(c, ours, peer) {
  const read = (file) => { const b = fs.readFileSync(file); return new Float32Array(b.buffer, b.byteOffset, b.length / 4); };
  const a = read(dump('ours', c, ours)), b = read(dump('peer', c, peer)), dim = a.length / c.batch;
  let least = 1;
  for (let i = 0; i < c.batch; i++) {
    let ab = 0, aa = 0, bb = 0;
    for (let j = i * dim; j < (i + 1) * dim; j++) { ab += a[j] * b[j]; aa += a[j] * a[j]; bb += b[j] * b[j]; }
    least = Math.min(least, ab / Math.sqrt(aa * bb));
  }
  return least;
}

if (child) {
  const [name, precision] = child.split(':');
  await runPeer(cases.find((c) => c.name === name), precision);
} else {
  const wanted = casesText ? casesText.split(',') : cases.map((c) => c.name);
  for (const c of cases.filter((one) => wanted.includes(one.name))) {
    const times = { ours: {}, peer: {} };
    const unique = (i) => [...new Set(pairs.map((pair) => pair[i]))];
    for (let round = 0; round < rounds; round++) {
      for (const precision of unique(1)) (times.peer[precision] ??= []).push(spawnPeer(c, precision).ms_med);
      for (const precision of unique(0)) (times.ours[precision] ??= []).push(runOurs(c, precision).ms_med);
    }
    for (const [ours, peer] of pairs) {
      const ratios = times.peer[peer].map((ms, i) => ms / times.ours[ours][i]);
      console.log(JSON.stringify({ case: c.name, threads, rounds, pennon: ours, ort: peer,
        pennon_ms_item: +(median(times.ours[ours]) / c.batch).toFixed(3), ort_ms_item: +(median(times.peer[peer]) / c.batch).toFixed(3),
        ratio: +median(ratios).toFixed(3), ratio_min: +Math.min(...ratios).toFixed(3), ratio_max: +Math.max(...ratios).toFixed(3),
        cosine: leastCosine(c, ours, peer) }));
    }
  }
}
