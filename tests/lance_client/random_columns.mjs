// Random columns from a seed: chance, types and values of every shape, for the tests that let LanceDB make tables of them.
import { createRequire } from "node:module";

export const A = createRequire(import.meta.url)("apache-arrow"); // the copy that the client itself loads
export const T = A.DataType;

// ---- chance: xorshift, so that a seed is a table
export class Chance {
  constructor(seed) { this.s = Uint32Array.from([seed, seed >>> 16, 0x9e3779b9, 0x85ebca6b]); for (let i = 0; i < 16; i++) this.word(); }
  word() { const s = this.s; let t = s[3]; const top = s[0]; s[3] = s[2]; s[2] = s[1]; s[1] = top; t ^= t << 11; t ^= t >>> 8; s[0] = t ^ top ^ (top >>> 19); return s[0]; }
  bits() { return (BigInt(this.word()) << 32n) | BigInt(this.word()); }
  below(n) { return this.word() % n; }
  between(a, b) { return a + this.below(b - a + 1); }
  odds(percent) { return this.below(100) < percent; }
  pick(list) { return list[this.below(list.length)]; }
}

// ---- types
export const field = (name, type, nullable = true, metadata) => new A.Field(name, type, nullable, metadata && new Map(Object.entries(metadata)));
export const scalars = [
  () => new A.Bool(), () => new A.Int8(), () => new A.Int16(), () => new A.Int32(), () => new A.Int64(), () => new A.Uint8(), () => new A.Uint16(),
  () => new A.Uint32(), () => new A.Uint64(), () => new A.Float16(), () => new A.Float32(), () => new A.Float64(), () => new A.DateDay(),
  () => new A.DateMillisecond(), () => new A.TimeSecond(), () => new A.TimeMillisecond(), () => new A.TimeMicrosecond(), () => new A.TimeNanosecond(),
  (c) => new A.Timestamp(c.below(4), c.pick([null, "UTC", "America/New_York"])), (c) => new A.Duration(c.below(4)),
  (c) => new A.Decimal(c.between(0, 9), c.between(10, 38), 128), (c) => new A.Decimal(c.between(0, 9), c.between(10, 76), 256),
  (c) => new A.FixedSizeBinary(c.pick([1, 2, 3, 4, 7, 8, 16, 20, 32, 33, 64, 300])),
];
const strings = [() => new A.Utf8(), () => new A.Binary(), () => new A.LargeUtf8(), () => new A.LargeBinary()];
export const scalar = (c) => (c.odds(35) ? c.pick(strings)(c) : c.pick(scalars)(c));

function listItem(c) { // of a fixed-size list
  const inner = c.odds(10) ? new A.Bool() : c.odds(60) ? c.pick([new A.Float32(), new A.Float16(), new A.Float64(), new A.Uint8(), new A.Int32()]) : scalars[c.below(scalars.length)](c);
  return inner;
}
export function randomType(c, version, rows, depth = 0) {
  const roll = c.below(100);
  if (depth < 3 && roll < 12) return new A.List(field("item", randomType(c, version, rows, depth + 1)));
  if (depth < 3 && roll < 22)
    return new A.Struct(Array.from({ length: c.between(1, 3) }, (_, i) => field("s" + i, randomType(c, version, rows, depth + 1), c.odds(85))));
  if (depth < 2 && roll < 30 && version >= "2.2") {
    const entries = new A.Struct([field("key", c.odds(80) ? new A.Utf8() : new A.Int32(), false), field("value", randomType(c, version, rows, depth + 2))]);
    return new A.Map_(field("entries", entries, false));
  }
  if (roll < 42) {
    let type = listItem(c);
    if (type instanceof A.FixedSizeBinary && type.byteWidth > 64) type = new A.Float32();
    type = new A.FixedSizeList(c.pick([1, 2, 3, 4, 8, 9, 16, 64, 100, 256]), field("item", type, c.odds(80)));
    return c.odds(8) && rows > 20 ? new A.FixedSizeList(c.between(1, 3), field("item", type)) : type; // of one row the client loses values
  }
  if (roll < 48 && depth === 0)
    return new A.Dictionary(c.odds(80) ? new A.Utf8() : c.pick([new A.Int32(), new A.Binary(), new A.Float64(), new A.LargeUtf8()]), c.pick([new A.Int8(), new A.Int16(), new A.Int32(), new A.Uint8(), new A.Uint16()]));
  if (roll < 50 && depth === 0) return new A.Null();
  return scalar(c);
}
export function randomMetadata(c, type, version) {
  const told = {};
  if (!c.odds(30)) return undefined;
  if (version === "2.0") { // which knows these two, and packs structs of which nothing may be null
    if (type instanceof A.LargeBinary && c.odds(50)) return { "lance-encoding:blob": "true" };
    return { "lance-encoding:compression": c.pick(["zstd", "lz4", "none", "fsst"]) };
  }
  if (c.odds(50)) told["lance-encoding:compression"] = c.pick(["zstd", "lz4", "none", "fsst"]);
  if (c.odds(30)) told["lance-encoding:bss"] = c.pick(["on", "off", "auto"]);
  if (c.odds(30)) told["lance-encoding:structural-encoding"] = c.pick(["miniblock", "fullzip"]);
  if (version === "2.3" && c.odds(60) && !(type instanceof A.Dictionary)) told["lance-encoding:structural-encoding"] = "sparse";
  if (c.odds(15)) told["lance-encoding:rle-threshold"] = c.pick(["0.9", "0.1"]);
  if (c.odds(15)) told["lance-encoding:dict-divisor"] = c.pick(["1", "2", "100000"]);
  if (type instanceof A.Struct && c.odds(40)) told["lance-encoding:packed"] = "true";
  if (type instanceof A.LargeBinary && version === "2.1" && c.odds(40)) return { "lance-encoding:blob": "true" };
  return told;
}

// ---- values
function randomNulls(c, n, nullable, never) { // [bitmap, count]; undefined: all valid
  const kind = nullable ? c.below(10) : 0;
  if (kind < 4) return [undefined, 0];
  const bits = new Uint8Array(Math.ceil(n / 8) + 8), every = c.between(2, 20), run = c.between(1, 700);
  let nulls = 0, isNull = c.odds(50);
  for (let i = 0; i < n; i++) {
    if (kind === 9) isNull = true;
    else if (kind >= 7 ? i % run === 0 : true) isNull = kind >= 7 ? c.odds(50) : c.below(every) === 0;
    if (isNull && !(never && i === 0)) nulls++;
    else bits[i >> 3] |= 1 << (i & 7);
  }
  return [bits, nulls];
}
function randomNumbers(c, n) { // a function of i: 64 random bits, shaped
  const kind = c.below(8), base = c.bits(), step = BigInt(c.below(1000)), small = c.pick([2, 3, 10, 200, 1000, 60000]), run = c.pick([2, 10, 100, 1000, 5000]);
  let held = c.bits();
  const few = Array.from({ length: c.between(1, 30) }, () => c.bits());
  return [() => base, (i) => BigInt(i) * step, (i) => base + BigInt(i), () => BigInt(c.below(small)), (i) => (i % run === 0 ? (held = c.odds(50) ? BigInt(c.below(small)) : c.bits()) : held),
    () => c.bits(), () => c.pick(few), (i) => BigInt(c.below(small)) - 5n][kind];
}
function randomBytes(c, big) { // a function that gives a Buffer
  const kind = c.below(9), words = ["red", "green", "blue", "a somewhat longer colour name", "", "x", "żółw", "catalogue/images/"];
  const length = c.pick([0, 3, 10, 40, 200]), long = c.pick([1000, 5000, 40000]);
  const text = (n) => { let s = ""; while (s.length < n) s += c.pick(words) + (c.odds(20) ? c.below(1000) : " "); return Buffer.from(s.slice(0, n)); };
  const fixed = text(c.pick([0, 1, 5, 33, 100])), few = Array.from({ length: c.between(1, 20) }, () => text(c.below(30)));
  return [() => fixed, () => c.pick(few), () => Buffer.from("https://example.com/images/catalogue/" + c.below(1e6) + "/photo.jpg"), () => text(c.below(length + 1)), () => text(length), () => Buffer.alloc(0),
    (i) => Buffer.from("id-" + i), () => (big && c.odds(5) ? text(c.below(long)) : text(c.below(20))), () => (big ? text(c.below(300)) : text(2))][kind];
}
const fill = (array, values) => { for (let i = 0; i < array.length; i++) array[i] = values(i); return array; };
function fixedValues(c, type, n) {
  const numbers = randomNumbers(c, n);
  if (type instanceof A.Bool) { const out = new Uint8Array(Math.ceil(n / 8) + 8), rare = c.pick([0, 1, 50, 99, 100]); for (let i = 0; i < n; i++) if (c.odds(rare)) out[i >> 3] |= 1 << (i & 7); return out; }
  if (type instanceof A.Float64 && c.odds(60)) { const scale = c.pick([1, 0.25, 1e300]); return fill(new Float64Array(n), (i) => (c.odds(1) ? c.pick([NaN, Infinity, -0]) : Number(BigInt.asIntN(32, numbers(i))) * scale)); }
  if (type instanceof A.Float32 && c.odds(60)) return fill(new Float32Array(n), (i) => Number(BigInt.asIntN(24, numbers(i))) / 64);
  if (T.isDate(type) && type.unit === 1) return fill(new BigInt64Array(n), (i) => BigInt.asIntN(30, numbers(i)) * 86400000n);
  if (T.isTime(type)) { const day = BigInt(86400) * [1n, 1000n, 1000000n, 1000000000n][type.unit]; return fill(type.bitWidth === 32 ? new Int32Array(n) : new BigInt64Array(n), (i) => { const v = BigInt.asUintN(48, numbers(i)) % day; return type.bitWidth === 32 ? Number(v) : v; }); }
  if (T.isDecimal(type)) { const w = type.bitWidth / 64; return new Uint32Array(fill(new BigInt64Array(n * w), (i) => { const v = BigInt.asIntN(30, numbers(Math.floor(i / w))); return i % w === 0 ? v : v < 0n ? -1n : 0n; }).buffer); }
  const out = new Uint8Array(n * widthOf(type)), one = new DataView(new ArrayBuffer(8)), w = widthOf(type);
  for (let i = 0; i < n; i++) {
    one.setBigUint64(0, BigInt.asUintN(64, numbers(i)), true);
    for (let b = 0; b < w; b++) out[i * w + b] = b < 8 ? one.getUint8(b) : (one.getUint8(b & 7) + b) & 255;
  }
  const View = { Int8: Int8Array, Int16: Int16Array, Int32: Int32Array, Int64: BigInt64Array, Uint8: Uint8Array, Uint16: Uint16Array, Uint32: Uint32Array, Uint64: BigUint64Array, Float16: Uint16Array, Float32: Float32Array, Float64: Float64Array }[String(type)];
  if (View) return new View(out.buffer, 0, n);
  if (type instanceof A.FixedSizeBinary) return out;
  return w === 4 ? new Int32Array(out.buffer) : new BigInt64Array(out.buffer);
}
function widthOf(type) {
  if (type instanceof A.FixedSizeBinary) return type.byteWidth;
  if (T.isDate(type)) return type.unit === 0 ? 4 : 8;
  if (T.isTimestamp(type) || T.isDuration(type)) return 8;
  if (T.isFloat(type)) return [2, 4, 8][type.precision];
  return type.bitWidth / 8;
}
let dictionaries = {};
export const settings = { nullStructs: true }; // false: structs may be null in the schema, but none is
// big: true, long strings in the column itself; "inside", in its members as well
function randomData(c, type, n, nullable, big) {
  const within = big === "inside" ? big : false;
  const [nullBitmap, nullCount] = randomNulls(c, n, nullable && (settings.nullStructs || !(type instanceof A.Struct)), T.isBool(type)), base = { type, length: n, nullBitmap, nullCount };
  if (type instanceof A.Null) return A.makeData({ type, length: n });
  if (type instanceof A.List || type instanceof A.Map_) {
    const most = c.pick([0, 1, 3, 3, 8, 30]), valueOffsets = new Int32Array(n + 1), always = c.odds(30);
    for (let i = 0; i < n; i++) valueOffsets[i + 1] = valueOffsets[i] + (nullBitmap && !(nullBitmap[i >> 3] & (1 << (i & 7))) && c.odds(90) ? 0 : always ? most : c.below(most + 1));
    return A.makeData({ ...base, valueOffsets, child: randomData(c, type.children[0].type, valueOffsets[n], type.children[0].nullable, within) });
  }
  if (type instanceof A.Struct) return A.makeData({ ...base, children: type.children.map((f) => randomData(c, f.type, n, f.nullable, within)) });
  if (type instanceof A.FixedSizeList) return A.makeData({ ...base, child: randomData(c, type.children[0].type, n * type.listSize, type.children[0].nullable, false) });
  if (type instanceof A.Dictionary) {
    const items = (dictionaries[type.id] ??= new A.Vector([randomData(c, type.dictionary, c.between(1, 20), false, false)])); // one in all batches of a file
    return A.makeData({ ...base, data: fill(new type.indices.ArrayType(n), () => c.below(items.length)), dictionary: items });
  }
  if (T.isUtf8(type) || T.isBinary(type) || T.isLargeUtf8(type) || T.isLargeBinary(type)) {
    const value = randomBytes(c, big), parts = Array.from({ length: n }, (_, i) => value(i)), large = T.isLargeUtf8(type) || T.isLargeBinary(type);
    const utf8 = T.isUtf8(type) || T.isLargeUtf8(type);
    const clean = utf8 ? parts.map((p) => Buffer.from(p.toString("utf8"))) : parts, valueOffsets = large ? new BigInt64Array(n + 1) : new Int32Array(n + 1);
    for (let i = 0; i < n; i++) valueOffsets[i + 1] = large ? valueOffsets[i] + BigInt(clean[i].length) : valueOffsets[i] + clean[i].length;
    return A.makeData({ ...base, valueOffsets, data: new Uint8Array(Buffer.concat(clean)) });
  }
  return A.makeData({ ...base, data: fixedValues(c, type, n) });
}
function randomBatch(c, schema, n, firstId, big) {
  const children = schema.fields.map((f) =>
    f.name === "id" ? A.makeData({ type: f.type, length: n, nullCount: 0, data: fill(new BigInt64Array(n), (i) => BigInt(firstId + i)) }) : randomData(c, f.type, n, f.nullable, big));
  return new A.RecordBatch(schema, A.makeData({ type: new A.Struct(schema.fields), length: n, nullCount: 0, children }));
}
export function randomTable(c, schema, n, firstId, big) {
  const batches = [];
  dictionaries = {};
  const size = c.odds(60) ? n : c.pick([1, 7, 100, 1000]);
  for (let at = 0; at < n; at += size) batches.push(randomBatch(c, schema, Math.min(size, n - at), firstId + at, big));
  return Buffer.from(A.tableToIPC(new A.Table(schema, batches), "file"));
}
