// Tables of LanceDB's own making: long columns of lists, vectors of 16, 32 and 64 bits, and compressed ones. Prints what LanceDB counts,
// and which rows it finds near row 7, for the script that asks pennon the same: table, filter or "near 7", answer.
import * as A from "apache-arrow";
import { connect } from "@lancedb/lancedb";

const db = await connect(process.argv[2]);
const DIM = 16;
const field = (name, type, nullable = true) => new A.Field(name, type, nullable);
const vectorOf = (type, length, data) => A.makeData({ type, length, nullCount: 0, ...data });
const fixed = (type, n, data) => {
  const list = new A.FixedSizeList(DIM, field("item", type));
  return [list, new A.Vector([vectorOf(list, n, { child: vectorOf(type, n * DIM, { data }) })])];
};
const idsOf = (n) => [new A.Int64(), A.makeVector(BigInt64Array.from({ length: n }, (_, i) => BigInt(i)))];
const create = (name, columns) => db.createTable(name, new A.Table(
  new A.Schema(Object.entries(columns).map(([n, [type]]) => field(n, type))), Object.fromEntries(Object.entries(columns).map(([n, [, v]]) => [n, v]))));

async function lists(name, n) {
  const offsets = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) offsets[i + 1] = offsets[i] + ((i * 7) % 5);
  const numbers = Int32Array.from({ length: offsets[n] }, (_, i) => (i * 2654435761) % 1000);
  const bytes = new Uint8Array(offsets[n] * 2), ends = new Int32Array(offsets[n] + 1);
  for (let i = 0; i < offsets[n]; i++) {
    bytes[2 * i] = 97 + (i % 26);
    bytes[2 * i + 1] = 97 + ((i * 31) % 23);
    ends[i + 1] = 2 * i + 2;
  }
  const listOf = (type, child) => {
    const list = new A.List(field("item", type));
    return [list, new A.Vector([vectorOf(list, n, { valueOffsets: offsets, child: vectorOf(type, offsets[n], child) })])];
  };
  const t = await create(name, {
    id: idsOf(n), vector: fixed(new A.Float32(), n, Float32Array.from({ length: n * DIM }, (_, i) => Math.sin(i))),
    numbers: listOf(new A.Int32(), { data: numbers }), words: listOf(new A.Utf8(), { valueOffsets: ends, data: bytes }),
  });
  for (const where of ["array_has(numbers, 500)", "array_has(words, 'bu')", "numbers IS NULL"]) console.log(`${name}\t${where}\t${await t.countRows(where)}`);
}
await lists("lists_short", 125000);
await lists("lists_long", 1000000);

const n = 2000, value = (i) => Math.sin(i * 1.7);
const halfBits = (x) => { // normal numbers only, cut
  const bits = new Uint32Array(new Float32Array([x]).buffer)[0], exponent = ((bits >>> 23) & 255) - 112;
  return ((bits >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((bits >>> 13) & 0x3ff));
};
const half = fixed(new A.Float16(), n, Uint16Array.from({ length: n * DIM }, (_, i) => halfBits(value(i))));
const single = fixed(new A.Float32(), n, Float32Array.from({ length: n * DIM }, (_, i) => value(i)));
const double = fixed(new A.Float64(), n, Float64Array.from({ length: n * DIM }, (_, i) => value(i)));
await create("half", { id: idsOf(n), vector: half });
await create("double", { id: idsOf(n), vector: double });
const t = await create("three", { id: idsOf(n), half, double, vector: single });
async function near7(name, table) {
  const seven = (await table.query().where("id = 7").toArray())[0].vector;
  const near = await table.query().nearestTo([...seven]).column("vector").distanceType("cosine").limit(9).toArray();
  console.log(`${name}\tnear 7\t${near.map((r) => Number(r.id)).filter((id) => id !== 7).join(" ")}`);
}
await near7("three", t);
console.log(`three\tid % 3 = 1\t${await t.countRows("id % 3 = 1")}`);

// Every way in which LanceDB lays out a vector column: short vectors in mini-blocks, long ones full-zip, plain and compressed; with and
// without nulls, which no search finds.
const layouts = {
  plain: {}, zstd: { compression: "zstd" }, lz4: { compression: "lz4" }, split: { compression: "lz4", bss: "on" },
  mini: { "structural-encoding": "miniblock" }, zip: { "structural-encoding": "fullzip", compression: "zstd" },
};
async function layout(name, dim, metadata, everyNull, version) {
  const n = 600, type = new A.Float32(), list = new A.FixedSizeList(dim, field("item", type));
  const child = vectorOf(type, n * dim, { data: Float32Array.from({ length: n * dim }, (_, i) => value(i)) });
  const nullBitmap = new Uint8Array(Math.ceil(n / 8)).fill(255);
  let nullCount = 0;
  for (let i = 0; everyNull && i < n; i += everyNull, nullCount++) nullBitmap[i >> 3] &= ~(1 << (i & 7));
  const vectors = new A.Vector([A.makeData({ type: list, length: n, nullCount, nullBitmap, child })]);
  const told = new Map(Object.entries(metadata).map(([k, v]) => [`lance-encoding:${k}`, v]));
  const schema = new A.Schema([field("id", new A.Int64()), new A.Field("vector", list, true, told)]);
  await near7(name, await db.createTable(name, new A.Table(schema, { id: idsOf(n)[1], vector: vectors }), { storageOptions: { newTableDataStorageVersion: version } }));
}
for (const dim of [DIM, 512]) for (const everyNull of [0, 13]) await layout(`plain_${dim}_${everyNull}_0`, dim, {}, everyNull, "2.0");
for (const version of ["2.1", "2.2"])
  for (const dim of [DIM, 512])
    for (const [name, metadata] of Object.entries(layouts))
      for (const everyNull of [0, 13]) await layout(`${name}_${dim}_${everyNull}_${version[2]}`, dim, metadata, everyNull, version);
