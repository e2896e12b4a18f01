// What LanceDB reads from a table, as text that says every bit: a line for the number of rows and of columns; then for each column a line with its name
// and a line for each row. A null is N; numbers, dates, times and durations are what is stored; floats and decimals are their bits in hexadecimal;
// strings and bytes x and hexadecimal; [..] lists, {..} structs, <key:value> maps; of a blob its size. read_tables.c writes the same from what pennon reads.
import { createRequire } from "node:module";
const A = createRequire(import.meta.url)("apache-arrow");

const bytesOf = (v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength);
const hexOf = (bytes) => "x" + bytes.toString("hex");

// A function of (row) for one chunk of a column.
function reader(data) {
  const { type } = data, inner = innerReader(data, type);
  if (A.DataType.isNull(type)) return () => "N";
  return data.nullCount > 0 ? (i) => (data.getValid(i) ? inner(i) : "N") : inner;
}
function innerReader(data, type) {
  if (A.DataType.isNull(type)) return () => "N";
  if (A.DataType.isStruct(type)) { const members = data.children.map(reader); return (i) => "{" + members.map((m) => m(i)).join(",") + "}"; }
  if (A.DataType.isFixedSizeList(type)) { const item = reader(data.children[0]), n = type.listSize; return (i) => { const out = []; for (let k = i * n; k < (i + 1) * n; k++) out.push(item(k)); return "[" + out.join(",") + "]"; }; }
  if (A.DataType.isList(type)) { const item = reader(data.children[0]), at = data.valueOffsets; return (i) => { const out = []; for (let k = at[i]; k < at[i + 1]; k++) out.push(item(k)); return "[" + out.join(",") + "]"; }; }
  if (A.DataType.isMap(type)) {
    const [key, value] = data.children[0].children.map(reader), at = data.valueOffsets;
    return (i) => { const out = []; for (let k = at[i]; k < at[i + 1]; k++) out.push(key(k) + ":" + value(k)); return "<" + out.join(",") + ">"; };
  }
  if (A.DataType.isDictionary(type)) {
    const items = data.dictionary.data.flatMap((d) => { const r = reader(d); return Array.from({ length: d.length }, (_, i) => r(i)); });
    return (i) => items[Number(data.values[i])];
  }
  if (data.valueOffsets && data.valueOffsets.length > 0) { const bytes = bytesOf(data.values), at = data.valueOffsets; return (i) => hexOf(bytes.subarray(Number(at[i]), Number(at[i + 1]))); }
  if (A.DataType.isBool(type)) return (i) => ((data.values[(i + data.offset) >> 3] >> ((i + data.offset) & 7)) & 1 ? "T" : "F");
  if (A.DataType.isFixedSizeBinary(type)) { const bytes = bytesOf(data.values), n = type.byteWidth; return (i) => hexOf(bytes.subarray(i * n, (i + 1) * n)); }
  if (A.DataType.isFloat(type) || A.DataType.isDecimal(type)) { const bytes = bytesOf(data.values), n = A.DataType.isDecimal(type) ? type.bitWidth / 8 : [2, 4, 8][type.precision]; return (i) => hexOf(bytes.subarray(i * n, (i + 1) * n)); }
  return (i) => String(data.values[i]);
}

// Of a table that is in memory; said: the fields that the table declares, where blobs are to be told from structs; order: of the rows, if not their own.
export function textOf(rows, fields = rows.schema.fields, said = [], order) {
  const parts = [`${rows.numRows} ${fields.length}\n`];
  fields.forEach((f, c) => {
    const lines = [];
    for (const data of rows.getChildAt(c)?.data ?? []) {
      const isBlob = A.DataType.isStruct(f.type) && said[c] && !A.DataType.isStruct(said[c].type);
      const [positions, sizes] = isBlob ? data.children.map((child) => child.values) : [];
      const isBlobNull = (i) => !data.getValid(i) || (positions[i] === 1n && sizes[i] === 0n); // the latter in 2.0
      const text = isBlob ? (i) => (isBlobNull(i) ? "N" : "blob " + sizes[i]) : reader(data);
      for (let i = 0; i < data.length; i++) lines.push(text(i));
    }
    parts.push([f.name, ...(order ? order.map((i) => lines[i]) : lines), ""].join("\n"));
  });
  return parts.join("");
}

// large: the last column when it is a large list, which the client cannot say: it comes as a list.
export async function answerOf(table, large) {
  const query = table.query();
  const quoted = (name) => "`" + name + "`";
  const rows = await (large ? query.select(new Map([...large.others.map((name) => [name, quoted(name)]), [large.name, `arrow_cast(${quoted(large.name)}, 'List(Int64)')`]])) : query).toArrow();
  const fields = rows.schema.fields.length > 0 ? rows.schema.fields : (await table.schema()).fields; // without a batch it knows none
  return textOf(rows, fields, large ? [] : (await table.schema()).fields);
}
