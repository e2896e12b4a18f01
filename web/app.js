// The page: words and a picture in, a grid of products out. No framework; the REST interface does the work.
//
// What is asked stands in `asked`, and in the address too (all but the picture), so that back, forward and a sent link work:
//
//     user does something -> asked changes -> write() the address -> run()      asks, shows rows, chips, filters
//     back or forward     -> read() the address into asked        -> run()
//
// Everything from the table reaches the page as text nodes and attributes, never as markup.
"use strict";

const TEXT = {
  en: {
    placeholder: "What are you looking for?", search: "Search", pick: "Search with a picture", picture: "picture", words: "words",
    balance: "Balance of words and picture", byPicture: "Searching with your picture", remove: "Remove", more: "Show more",
    drop: "Drop the picture to search with it", filters: "Filters", similar: "More like this", similarTo: (t) => `Like: ${t}`, from: "from", to: "to",
    found: (n, all) => `Best ${n} of ${all} products`, newest: (all) => `${all} ${all === 1 ? "product" : "products"}, newest first`,
    searching: "Searching…", none: "no picture", try: "Try", active: "What is asked", products: "Products", clear: "Clear all",
    take: (name) => `Remove ${name}`, close: "Close", all: (n) => `Show all ${n}`, fewer: "Show fewer", show: "Show products", skip: "Skip to the products",
    nothing: "Nothing matches", nothingHint: "No product passes these filters. Take one away, or clear them all.",
    empty: "No products yet", emptyHint: "Add pictures from a folder or a list, then reload this page:",
    failed: "That did not work", offline: "The service does not answer", offlineHint: "Is it still running? Nothing is lost: try again in a moment.",
    again: "Try again", showAll: "Show all products", noPicture: "That is not a picture", noPictureHint: "Choose a JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF or BMP file.",
    keys: { sku: "SKU", url: "Link" },
  },
  zh: {
    placeholder: "想找什么？", search: "搜索", pick: "用图片搜索", picture: "图片", words: "文字",
    balance: "文字与图片的比重", byPicture: "正在用您的图片搜索", remove: "移除", more: "显示更多",
    drop: "松开即可用这张图片搜索", filters: "筛选", similar: "查找相似", similarTo: (t) => `相似：${t}`, from: "从", to: "到",
    found: (n, all) => `${all} 件商品中最匹配的 ${n} 件`, newest: (all) => `共 ${all} 件商品，最新在前`,
    searching: "搜索中…", none: "无图片", try: "试试", active: "当前条件", products: "商品", clear: "全部清除",
    take: (name) => `移除 ${name}`, close: "关闭", all: (n) => `显示全部 ${n} 项`, fewer: "收起", show: "查看商品", skip: "跳到商品",
    nothing: "没有符合的商品", nothingHint: "没有商品满足这些筛选条件。请去掉一项，或全部清除。",
    empty: "还没有商品", emptyHint: "从文件夹或列表添加图片，然后刷新本页：",
    failed: "出错了", offline: "服务没有响应", offlineHint: "它还在运行吗？内容不会丢失，请稍后再试。",
    again: "重试", showAll: "显示全部商品", noPicture: "这不是图片", noPictureHint: "请选择 JPEG、PNG、WebP、GIF、AVIF、HEIC、TIFF 或 BMP 文件。",
    keys: { category: "类别", type: "类型", colour: "颜色", color: "颜色", pattern: "图案", material: "材质", price: "价格", brand: "品牌", size: "尺码", gender: "性别", date: "日期", sku: "货号", url: "链接", title: "标题" },
  },
};
const PAGE = 24, MOST = 960, MAX_LISTED = 40, FIRST_VALUES = 8, EXAMPLES = 6, MAX_EXAMPLE = 40;
const ICON = { search: "M18 11a7 7 0 1 1-14 0 7 7 0 0 1 14 0zM16 16l5 5", warning: "M12 3 2 20h20zM12 10v4M12 17v.01", box: "M3 8l9-5 9 5v9l-9 5-9-5zM3 8l9 5 9-5M12 13v9", like: "M8 8h12v12H8zM4 16V4h12" };
const $ = (id) => document.getElementById(id);
const phone = matchMedia("(max-width: 800px)");
const pictures = new Map(); // of history entries: a picture does not fit into an address
const none = () => Object.create(null); // keys are the table's: "__proto__" is one like any other
const asked = { words: "", like: null, picture: null, mix: 50, chosen: none(), ranges: none() };
const shown = { language: "en", rows: [], k: PAGE, matching: 0, facets: [], unfolded: new Set(), notice: null, newest: [], serial: 0, likeTitle: "" };
let texts = TEXT.en;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function icon(path) {
  const NS = "http://www.w3.org/2000/svg", svg = document.createElementNS(NS, "svg"), line = document.createElementNS(NS, "path");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const keyName = (key) => Object.hasOwn(texts.keys, key) ? texts.keys[key] : key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " ");
const titleOf = (row) => (shown.language === "zh" && row.metadata.title_zh) || row.metadata.title || row.metadata.name || row.image_path;

// ---- the address

function address() {
  const parameters = new URLSearchParams();
  if (asked.words) parameters.set("q", asked.words);
  if (asked.like !== null) parameters.set("like", asked.like);
  for (const [key, values] of Object.entries(asked.chosen)) for (const value of values) parameters.append(`f.${key}`, value);
  for (const [key, { from = "", to = "" }] of Object.entries(asked.ranges)) if (from || to) parameters.set(`r.${key}`, `${from}..${to}`);
  const text = parameters.toString();
  return text ? `?${text}` : "/";
}

function read() {
  const parameters = new URLSearchParams(location.search);
  asked.words = (parameters.get("q") || "").trim();
  asked.like = /^\d+$/.test(parameters.get("like") || "") ? Number(parameters.get("like")) : null;
  asked.chosen = none();
  asked.ranges = none();
  for (const [name, value] of parameters) {
    if (name.startsWith("f.")) (asked.chosen[name.slice(2)] ||= new Set()).add(value);
    const range = name.startsWith("r.") && value.match(/^(-?[\d.]*)\.\.(-?[\d.]*)$/);
    if (range && !Number.isNaN(Number(range[1])) && !Number.isNaN(Number(range[2]))) asked.ranges[name.slice(2)] = { from: range[1], to: range[2] };
  }
  const kept = pictures.get(history.state?.picture);
  asked.picture = kept?.file || null;
  asked.mix = kept?.mix ?? 50;
}

// A new entry, unless nothing changed.
function write() {
  const id = asked.picture ? `${asked.picture.name} ${asked.picture.size} ${asked.picture.lastModified}` : null;
  if (id) pictures.set(id, { file: asked.picture, mix: asked.mix });
  if (address() !== (location.search || "/") || id !== (history.state?.picture ?? null)) history.pushState({ picture: id }, "", address());
}

function change() {
  write();
  shown.k = PAGE;
  window.scrollTo({ top: 0 }); // the best is at the top, wherever one was in the last answer
  run();
}

// ---- filters, from what the table's metadata holds

// What differs in every row (a title, a number of the maker's) divides nothing.
const isList = (facet) => facet.kind === "text" && facet.n_values > 1 && facet.n_values <= MAX_LISTED && facet.n_values < facet.rows;

function showFilters() {
  const focused = document.activeElement?.closest?.("#facets") && document.activeElement.dataset.focus;
  $("facets").replaceChildren(...shown.facets.filter((f) => isList(f) || f.kind === "number").map((facet) =>
    element("fieldset", { "data-key": facet.key }, element("legend", {}, keyName(facet.key)), ...(isList(facet) ? valueList(facet) : [rangeInputs(facet)]))));
  if (focused) [...$("facets").querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === focused)?.focus();
}

function valueList(facet) {
  const chosen = asked.chosen[facet.key] || new Set(), unfolded = shown.unfolded.has(facet.key);
  const values = facet.values.filter(({ value }, i) => unfolded || i < FIRST_VALUES || chosen.has(value));
  const labels = values.map(({ value, count }) => element("label", {},
    element("input", { type: "checkbox", value, checked: chosen.has(value), "data-focus": `${facet.key}=${value}`, onchange: (event) => choose(facet.key, value, event.target.checked) }),
    element("span", {}, value), element("span", { class: "count" }, String(count))));
  if (facet.values.length <= FIRST_VALUES) return labels;
  const fold = () => {
    if (unfolded) shown.unfolded.delete(facet.key); else shown.unfolded.add(facet.key);
    showFilters();
  };
  return [...labels, element("button", { type: "button", class: "plain", "aria-expanded": String(unfolded), "data-focus": `${facet.key} fold`, onclick: fold }, unfolded ? texts.fewer : texts.all(facet.values.length))];
}

function choose(key, value, on) {
  const chosen = (asked.chosen[key] ||= new Set());
  if (on) chosen.add(value); else chosen.delete(value);
  change();
}

function rangeInputs(facet) {
  const range = asked.ranges[facet.key] || {};
  const input = (side, limit) => element("input", {
    type: "number", step: "any", placeholder: limit, value: range[side], "aria-label": `${keyName(facet.key)} ${texts[side]}`, "data-focus": `${facet.key} ${side}`,
    onchange: (event) => {
      (asked.ranges[facet.key] ||= {})[side] = event.target.value;
      change();
    },
  });
  return element("div", { class: "range" }, input("from", facet.min), "–", input("to", facet.max));
}

function filters() {
  const all = none();
  for (const [key, values] of Object.entries(asked.chosen)) if (values.size > 0) all[key] = [...values];
  for (const [key, { from, to }] of Object.entries(asked.ranges)) {
    if (from) (all[key] = { ...all[key] }).gte = Number(from);
    if (to) (all[key] = { ...all[key] }).lte = Number(to);
  }
  return all;
}

function clearFilters() {
  asked.chosen = none();
  asked.ranges = none();
}

function showChips() {
  const chip = (text, take) => element("li", {}, element("button", { type: "button", "aria-label": texts.take(text), onclick: () => { take(); change(); $("words").focus(); } }, element("span", {}, text)));
  const chips = [];
  if (asked.like !== null) chips.push(chip(texts.similarTo(shown.likeTitle || `#${asked.like}`), () => { asked.like = null; }));
  let n = 0;
  for (const [key, values] of Object.entries(asked.chosen))
    for (const value of values) n = chips.push(chip(`${keyName(key)}: ${value}`, () => values.delete(value)));
  for (const [key, { from = "", to = "" }] of Object.entries(asked.ranges))
    if (from || to) n = chips.push(chip(`${keyName(key)}: ${from && to ? `${from} – ${to}` : from ? `≥ ${from}` : `≤ ${to}`}`, () => { delete asked.ranges[key]; }));
  if (chips.length > 0)
    chips.push(element("li", {}, element("button", { type: "button", class: "clear", onclick: () => { clearFilters(); asked.like = null; change(); } }, texts.clear)));
  $("chips").replaceChildren(...chips);
  $("chips").hidden = chips.length === 0;
  n -= asked.like !== null && n > 0 ? 1 : 0;
  $("n-filters").textContent = n;
  $("n-filters").hidden = n === 0;
}

// ---- examples: what the newest products are, said in two of the table's own values

function examples() {
  const lists = shown.facets.filter(isList).sort((a, b) => a.n_values - b.n_values).slice(-2);
  const sayings = shown.newest.map((row) => (shown.language === "zh" && row.metadata.title_zh) || lists.map((facet) => row.metadata[facet.key]).filter(Boolean).join(" "));
  const seen = new Set(), all = [];
  shown.newest.forEach((row, i) => { // each kind of product once
    const kind = row.metadata[lists.at(-1)?.key] ?? sayings[i];
    if (sayings[i] && sayings[i].length <= MAX_EXAMPLE && !seen.has(kind)) all.push(sayings[i]);
    seen.add(kind);
  });
  return all.slice(0, EXAMPLES);
}

function showExamples() {
  const all = isBrowsing() ? examples() : [];
  $("example-list").replaceChildren(...all.map((text) => element("button", { type: "button", onclick: () => { asked.words = text; change(); } }, text)));
  $("examples").hidden = all.length === 0;
}

// ---- asking

const isBrowsing = () => !asked.words && !asked.picture && asked.like === null;

function question() {
  const form = new FormData();
  if (asked.like !== null) form.append("like", asked.like);
  if (asked.words) form.append("query", asked.words);
  if (asked.picture) form.append("image", asked.picture, asked.picture.name || "picture");
  if (asked.words && asked.picture) {
    form.append("text_weight", (100 - asked.mix) / 100);
    form.append("image_weight", asked.mix / 100);
  }
  form.append("top_k", shown.k);
  form.append("filters", JSON.stringify(filters()));
  return fetch("/search", { method: "POST", body: form });
}

function leaf() {
  const parameters = new URLSearchParams({ limit: shown.k, filters: JSON.stringify(filters()) });
  return fetch(`/rows?${parameters}`);
}

async function answerOf(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

async function nameLiked() {
  const id = asked.like, known = shown.rows.find((row) => row.id === id);
  shown.likeTitle = known ? titleOf(known) : "";
  if (id !== null && !known) shown.likeTitle = titleOf(await answerOf(await fetch(`/rows/${id}`)));
}

async function run() {
  const serial = ++shown.serial, isMore = shown.k > PAGE;
  showAsked();
  shown.notice = null;
  if (!isMore) showSkeletons();
  $("results").setAttribute("aria-busy", "true");
  $("status").textContent = texts.searching;
  try {
    await nameLiked();
    const answer = await answerOf(await (isBrowsing() ? leaf() : question()));
    if (serial !== shown.serial) return; // a newer question is on its way
    shown.rows = answer.results;
    shown.matching = answer.matching ?? answer.stats.matching;
    if (isBrowsing() && Object.keys(filters()).length === 0) shown.newest = answer.results;
    if (shown.rows.length === 0) shown.notice = isBrowsing() && Object.keys(filters()).length === 0 ? "empty" : "nothing";
  } catch (error) {
    if (serial !== shown.serial) return;
    shown.rows = [];
    shown.notice = error instanceof TypeError ? "offline" : error.message;
  }
  showAsked();
  showRows(isMore);
  $("results").setAttribute("aria-busy", "false");
}

// ---- showing

function showAsked() {
  if ($("words").value.trim() !== asked.words) $("words").value = asked.words;
  document.title = asked.words ? `${asked.words} – pennon` : "pennon";
  $("picture-bar").hidden = !asked.picture;
  $("mix-label").hidden = !asked.words;
  $("mix").value = asked.mix;
  if (asked.picture !== $("picture").file) {
    if ($("picture").src) URL.revokeObjectURL($("picture").src);
    $("picture").file = asked.picture;
    if (asked.picture) $("picture").src = URL.createObjectURL(asked.picture); else $("picture").removeAttribute("src");
  }
  showChips();
  showFilters();
  showExamples();
}

function showSkeletons() {
  $("notice").hidden = true;
  $("more").hidden = true;
  $("results").replaceChildren(...Array.from({ length: 12 }, () => element("li", { class: "card skeleton", "aria-hidden": "true" },
    element("div", { class: "frame" }), element("div", { class: "text" }, element("div", { class: "line" }), element("div", { class: "line short" })))));
}

function frameOf(row) {
  const frame = element("span", { class: "frame" });
  if (!row.has_image) {
    frame.append(texts.none);
    return frame;
  }
  const image = element("img", { src: row.image_url, alt: "", loading: "lazy", width: 320, height: 320 });
  image.addEventListener("error", () => frame.replaceChildren(texts.none));
  frame.append(image);
  return frame;
}

function card(row) {
  const facts = ["brand", "category", "material"].map((key) => row.metadata[key]).filter(Boolean).join(" · ");
  const text = element("span", { class: "text" }, element("span", { class: "title" }, titleOf(row)));
  if (facts) text.append(element("span", { class: "facts" }, facts));
  if (row.metadata.price) text.append(element("span", { class: "price" }, row.metadata.price));
  return element("li", { class: "card", "data-id": row.id },
    element("button", { type: "button", class: "open", onclick: () => showProduct(row) }, frameOf(row), text),
    element("button", { type: "button", class: "similar", title: texts.similar, "aria-label": `${texts.similar}: ${titleOf(row)}`, onclick: () => likeThis(row) }, icon(ICON.like)));
}

// More of the same answer is appended: what is on the screen stays, focus too.
function showRows(isMore) {
  const list = $("results"), old = isMore ? [...list.children].map((node) => node.dataset.id) : [];
  const isSame = old.length > 0 && old.every((id, i) => String(shown.rows[i]?.id) === id);
  const cards = shown.rows.slice(isSame ? old.length : 0).map(card);
  if (isSame) list.append(...cards); else list.replaceChildren(...cards);
  if (isSame) cards[0]?.firstChild.focus({ preventScroll: true });
  $("more").hidden = shown.rows.length < shown.k || shown.rows.length >= shown.matching || shown.k >= MOST;
  showStatus();
}

function showStatus() {
  const n = shown.rows.length;
  $("status").textContent = n === 0 ? "" : isBrowsing() ? texts.newest(shown.matching) : texts.found(n, shown.matching);
  $("show-results").textContent = n === 0 ? texts.close : texts.show;
  showNotice();
}

function showNotice() {
  const kind = shown.notice, box = $("notice");
  box.hidden = !kind;
  if (!kind) return;
  const isError = kind !== "nothing" && kind !== "empty", isKnown = ["nothing", "empty", "offline", "noPicture"].includes(kind);
  const button = (text, act, style) => element("button", { type: "button", class: style, onclick: act }, text);
  const acts = element("div");
  if (kind === "empty") acts.append(element("code", {}, "pennon ingest FOLDER"));
  if (isError && kind !== "noPicture") acts.append(button(texts.again, () => (shown.facets.length > 0 ? run() : start()), "primary"));
  if (kind === "nothing") acts.append(button(texts.clear, () => { clearFilters(); change(); }, "primary"));
  if (kind !== "empty") acts.append(button(texts.showAll, goHome));
  box.className = isError ? "error" : "";
  box.setAttribute("role", isError ? "alert" : "note");
  box.replaceChildren(icon(kind === "nothing" ? ICON.search : kind === "empty" ? ICON.box : ICON.warning),
    element("h2", {}, isKnown ? texts[kind] : texts.failed), element("p", {}, isKnown ? texts[`${kind}Hint`] : kind), acts);
}

// Only what is plainly a web address becomes a link; a "javascript:" stays text.
function valueOf(value) {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return value;
  return element("a", { href: value, target: "_blank", rel: "noopener noreferrer" }, value);
}

function showProduct(row) {
  const facts = element("dl"), title = titleOf(row);
  for (const [key, value] of Object.entries(row.metadata))
    if (value && value !== title && !["title", "title_zh", "price"].includes(key)) facts.append(element("dt", {}, keyName(key)), element("dd", {}, valueOf(value)));
  const about = element("div", { class: "about" }, element("h2", { id: "product-title" }, title));
  if (row.metadata.price) about.append(element("p", { class: "price" }, row.metadata.price));
  about.append(facts, element("button", { type: "button", class: "primary", onclick: () => { $("product").close(); likeThis(row); } }, texts.similar));
  $("product").replaceChildren(element("div", { class: "inner" }, frameOf(row), about),
    element("button", { type: "button", class: "plain close", "aria-label": texts.close, onclick: () => $("product").close() }, "×"));
  $("product").showModal();
}

function likeThis(row) {
  Object.assign(asked, { like: row.id, words: "", picture: null });
  change();
}

function goHome() {
  Object.assign(asked, { like: null, words: "", picture: null });
  clearFilters();
  change();
}

function usePicture(file) {
  if (!file.type.startsWith("image/")) {
    shown.notice = "noPicture";
    showNotice();
    return;
  }
  Object.assign(asked, { picture: file, like: null, mix: 50 });
  change();
}

function setLanguage(language) {
  shown.language = language;
  texts = TEXT[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  $("language").textContent = language === "zh" ? "English" : "中文";
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = texts[node.dataset.i18n];
  for (const node of document.querySelectorAll("[data-i18n-placeholder]")) node.placeholder = texts[node.dataset.i18nPlaceholder];
  for (const node of document.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", texts[node.dataset.i18nLabel]);
  for (const node of document.querySelectorAll("[data-i18n-title]")) node.title = texts[node.dataset.i18nTitle];
}

// ---- the filters' panel: beside the products, on a phone a drawer

function placeFilters() {
  if ($("filters").open) $("filters").close();
  if (!phone.matches) $("filters").open = true; // show() would take the focus
}

// ---- keys: / to the words, arrows among the products, Escape back

function columns() {
  return getComputedStyle($("results")).gridTemplateColumns.split(" ").length;
}

function moveFocus(event) {
  const cards = [...$("results").querySelectorAll(".open")], at = cards.indexOf(document.activeElement);
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
  const next = event.key === "Home" ? 0 : event.key === "End" ? cards.length - 1 : at + step;
  if (at < 0 || Number.isNaN(next)) return;
  event.preventDefault();
  if (next < 0 && event.key === "ArrowUp") $("words").focus();
  else cards[next]?.focus();
}

function onKey(event) {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName), isDialog = document.querySelector("dialog:modal");
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isDialog) return;
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    $("words").focus();
    $("words").select();
  } else if (event.key === "Escape" && document.activeElement.closest("#results")) {
    $("words").focus();
  } else if (event.key === "ArrowDown" && document.activeElement === $("words")) {
    event.preventDefault();
    $("results").querySelector(".open")?.focus();
  } else if (document.activeElement.classList.contains("open")) {
    moveFocus(event);
  }
}

// ---- events

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  asked.words = $("words").value.trim();
  asked.like = null;
  change();
});
$("words").addEventListener("search", () => { // the field's own cross
  if (!$("words").value && asked.words) {
    asked.words = "";
    change();
  }
});
$("pick").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files[0]) usePicture($("file").files[0]);
  $("file").value = ""; // the same one may be chosen again
});
$("remove").addEventListener("click", () => {
  asked.picture = null;
  change();
  $("words").focus();
});
$("mix").addEventListener("change", () => {
  asked.mix = Number($("mix").value);
  change();
});
$("more").addEventListener("click", () => {
  shown.k = Math.min(MOST, shown.k + PAGE);
  run();
});
$("home").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  goHome();
});
$("language").addEventListener("click", () => {
  setLanguage(shown.language === "en" ? "zh" : "en");
  try { localStorage.setItem("pennon.language", shown.language); } catch { /* a private window */ }
  const known = shown.rows.find((row) => row.id === asked.like);
  if (known) shown.likeTitle = titleOf(known);
  showAsked();
  showRows(false);
});
$("open-filters").addEventListener("click", () => $("filters").showModal());
$("close-filters").addEventListener("click", () => $("filters").close());
$("show-results").addEventListener("click", () => $("filters").close());
for (const dialog of [$("product"), $("filters")])
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.matches(":modal") && isOutside(event, dialog) && dialog.close());
function isOutside({ clientX: x, clientY: y }, dialog) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return x < left || x > right || y < top || y > bottom;
}
phone.addEventListener("change", placeFilters);
addEventListener("popstate", () => {
  read();
  shown.k = PAGE;
  run();
});
document.addEventListener("keydown", onKey);
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").hidden = false; });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").hidden = true; });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").hidden = true;
  if (event.dataTransfer.files[0]) usePicture(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files || [])].find((f) => f.type.startsWith("image/"));
  if (file) {
    event.preventDefault();
    usePicture(file);
  }
});

async function start() {
  showSkeletons();
  fetch("/facets").then(answerOf).then((answer) => {
    shown.facets = answer.facets;
    showFilters();
    showChips();
    showExamples();
  }).catch(() => { /* the list of rows fails as well, and says so */ });
  await run();
}

let language = navigator.language.startsWith("zh") ? "zh" : "en";
try { language = localStorage.getItem("pennon.language") || language; } catch { /* a private window */ }
setLanguage(TEXT[language] ? language : "en");
read();
placeFilters();
start();
