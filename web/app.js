// The page: words and a picture in, a grid of products out. No framework; the REST interface does the work.
"use strict";

const TEXT = {
  en: {
    placeholder: "What are you looking for?", search: "Search", picture: "Picture", words: "words", balance: "Balance of words and picture",
    remove: "Remove picture", more: "Show more", drop: "Drop the picture to search with it", filters: "Filters", similar: "More like this",
    from: "from", to: "to", found: (n, all, ms) => `${n} of ${all} products, ${ms} ms`, searching: "Searching…",
    nothing: "Nothing found. Try fewer filters or other words.", none: "no picture", like: (t) => `More like: ${t}`,
    empty: "The table is empty. Add pictures with: pennon ingest FOLDER", offline: "The service does not answer. Is it still running?",
    browse: "Type words, or drop or paste a picture.", noPicture: "That is not a picture.", score: "score",
  },
  zh: {
    placeholder: "想找什么？", search: "搜索", picture: "图片", words: "文字", balance: "文字与图片的比重",
    remove: "移除图片", more: "显示更多", drop: "松开即可用这张图片搜索", filters: "筛选", similar: "查找相似",
    from: "从", to: "到", found: (n, all, ms) => `${all} 件商品中的 ${n} 件，用时 ${ms} 毫秒`, searching: "搜索中…",
    nothing: "没有找到。请减少筛选条件或换个说法。", none: "无图片", like: (t) => `相似：${t}`,
    empty: "表是空的。用 pennon ingest 文件夹 添加图片。", offline: "服务没有响应，它还在运行吗？",
    browse: "输入文字，或拖入、粘贴一张图片。", noPicture: "这不是图片。", score: "分数",
  },
};
const PAGE = 24;
const $ = (id) => document.getElementById(id);
const state = { language: "en", picture: null, like: null, likeTitle: "", k: PAGE, facets: [], chosen: {}, ranges: {}, serial: 0, rows: [] };
let texts = TEXT.en;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function setLanguage(language) {
  state.language = language;
  texts = TEXT[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  $("language").textContent = language === "zh" ? "English" : "中文";
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = texts[node.dataset.i18n];
  for (const node of document.querySelectorAll("[data-i18n-placeholder]")) node.placeholder = texts[node.dataset.i18nPlaceholder];
  for (const node of document.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", texts[node.dataset.i18nLabel]);
  try { localStorage.setItem("pennon.language", language); } catch { /* a private window */ }
  showFilters();
  showRows();
}

function say(message, isError = false) {
  $("status").textContent = message;
  $("status").classList.toggle("error", isError);
}

// ---- filters, from what the table's metadata holds

function showFilters() {
  const box = $("filters");
  box.replaceChildren();
  for (const facet of state.facets) {
    const isList = facet.kind === "text" && facet.n_values <= 40 && facet.n_values > 1;
    if (!isList && facet.kind !== "number") continue;
    const set = element("fieldset", { "data-key": facet.key }, element("legend", {}, facet.key));
    set.append(isList ? valueList(facet) : rangeInputs(facet));
    box.append(set);
  }
}

function valueList(facet) {
  const list = element("div", { class: "values" });
  const chosen = state.chosen[facet.key] || (state.chosen[facet.key] = new Set());
  for (const { value, count } of facet.values) {
    const input = element("input", { type: "checkbox", value, checked: chosen.has(value), onchange: () => {
      if (input.checked) chosen.add(value); else chosen.delete(value);
      state.k = PAGE;
      search();
    } });
    list.append(element("label", {}, input, value, element("span", { class: "count" }, String(count))));
  }
  return list;
}

function rangeInputs(facet) {
  const range = state.ranges[facet.key] || (state.ranges[facet.key] = {});
  const input = (side, limit) => element("input", {
    type: "number", step: "any", placeholder: limit, value: range[side] ?? "", "aria-label": `${facet.key} ${texts[side]}`,
    onchange: (event) => { range[side] = event.target.value; state.k = PAGE; search(); },
  });
  return element("div", { class: "range" }, input("from", facet.min), "–", input("to", facet.max));
}

function filters() {
  const all = {};
  for (const [key, values] of Object.entries(state.chosen)) if (values.size > 0) all[key] = [...values];
  for (const [key, { from, to }] of Object.entries(state.ranges)) {
    const range = {};
    if (from) range.gte = Number(from);
    if (to) range.lte = Number(to);
    if (Object.keys(range).length > 0) all[key] = range;
  }
  return all;
}

// ---- searching

function question() {
  const form = new FormData();
  const words = $("words").value.trim();
  if (state.like !== null) form.append("like", state.like);
  if (words) form.append("query", words);
  if (state.picture) form.append("image", state.picture, state.picture.name || "picture");
  if (words && state.picture) {
    form.append("text_weight", (100 - $("mix").value) / 100);
    form.append("image_weight", $("mix").value / 100);
  }
  form.append("top_k", state.k);
  const chosen = filters();
  if (Object.keys(chosen).length > 0) form.append("filters", JSON.stringify(chosen));
  return words || state.picture || state.like !== null ? form : null;
}

async function search() {
  const form = question();
  const serial = ++state.serial;
  if (!form) {
    state.rows = [];
    showRows();
    say(state.isEmpty ? texts.empty : texts.browse);
    return;
  }
  say(texts.searching);
  try {
    const response = await fetch("/search", { method: "POST", body: form });
    const answer = await response.json();
    if (serial !== state.serial) return; // a newer question is on its way
    if (!response.ok) throw new Error(answer.error.message);
    state.rows = answer.results;
    showRows();
    const note = answer.count > 0 ? texts.found(answer.count, answer.stats.matching, Math.round(answer.took_ms)) : texts.nothing;
    say(state.like !== null ? `${texts.like(state.likeTitle)} — ${note}` : note);
    $("more").hidden = answer.count < state.k || state.k >= 960;
  } catch (error) {
    if (serial !== state.serial) return;
    state.rows = [];
    showRows();
    say(error instanceof TypeError ? texts.offline : error.message, true);
  }
}

function titleOf(row) {
  const { title, title_zh: zh } = row.metadata;
  return (state.language === "zh" && zh) || title || row.image_path;
}

function card(row) {
  const facts = ["price", "category", "sku"].map((key) => row.metadata[key]).filter(Boolean).join(" · ");
  const frame = element("div", { class: "frame" });
  if (row.has_image) {
    const image = element("img", { src: row.image_url, alt: titleOf(row), loading: "lazy" });
    image.addEventListener("error", () => frame.replaceChildren(texts.none));
    frame.append(image);
  } else frame.append(texts.none);
  const like = element("button", { type: "button", class: "plain", onclick: () => likeThis(row) }, texts.similar);
  return element("li", { class: "card", "data-id": row.id },
    frame,
    element("div", { class: "text" }, element("div", { class: "title" }, titleOf(row)), element("div", { class: "facts" }, facts)),
    element("div", { class: "foot" }, element("span", { title: texts.score }, row.score.toFixed(3)), like));
}

function showRows() {
  $("results").replaceChildren(...state.rows.map(card));
  if (state.rows.length === 0) $("more").hidden = true;
}

function likeThis(row) {
  state.like = row.id;
  state.likeTitle = titleOf(row);
  $("words").value = "";
  setPicture(null, false);
  state.k = PAGE;
  window.scrollTo({ top: 0 });
  search();
}

function setPicture(file, run = true) {
  if (file && !file.type.startsWith("image/")) {
    say(texts.noPicture, true);
    return;
  }
  if ($("picture").src) URL.revokeObjectURL($("picture").src);
  state.picture = file;
  $("picture-bar").hidden = !file;
  if (file) {
    $("picture").src = URL.createObjectURL(file);
    state.like = null;
  } else {
    $("picture").removeAttribute("src");
    $("file").value = "";
  }
  state.k = PAGE;
  if (run) search();
}

// ---- events

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  state.like = null;
  state.k = PAGE;
  search();
});
$("file").addEventListener("change", () => $("file").files[0] && setPicture($("file").files[0]));
$("pick").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); $("file").click(); }
});
$("remove").addEventListener("click", () => setPicture(null));
$("mix").addEventListener("change", search);
$("more").addEventListener("click", () => { state.k += PAGE; search(); });
$("language").addEventListener("click", () => setLanguage(state.language === "en" ? "zh" : "en"));
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").hidden = false; });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").hidden = true; });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").hidden = true;
  if (event.dataTransfer.files[0]) setPicture(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((f) => f.type.startsWith("image/"));
  if (file) setPicture(file);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement === document.body) { event.preventDefault(); $("words").focus(); }
});

async function start() {
  let language = navigator.language.startsWith("zh") ? "zh" : "en";
  try { language = localStorage.getItem("pennon.language") || language; } catch { /* a private window */ }
  setLanguage(language);
  try {
    const [facets, info] = await Promise.all([fetch("/facets"), fetch("/info")].map(async (r) => (await r).json()));
    state.facets = facets.facets || [];
    state.isEmpty = info.table && info.table.rows === 0;
    showFilters();
  } catch {
    say(texts.offline, true);
    return;
  }
  const asked = new URLSearchParams(location.search).get("q");
  if (asked) $("words").value = asked;
  search();
}
start();
