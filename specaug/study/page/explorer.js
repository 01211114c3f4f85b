// The list of utterances, its filters, and the one that is chosen. Blocks of data are read when they are looked at.

const read = new Map();
const get = name => document.getElementById(name);

function block(name) {
  if (!read.has(name)) read.set(name, JSON.parse(get(name).textContent));
  return read.get(name);
}

const data = block("index"), audio = get("audio");
const places = data.ids.map((_, i) => i), listed = 300;  // rows of the list at a time
const heard = new Set(data.heard), KINDS = ["substitutions", "deletions", "insertions"];
let shown = [], chosen = -1, levels = null, drawnWidth = 0;

function fill(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

const every = names => names.map((name, i) => [i, name]);
const baseline = data.policies.length > 1 ? data.baselines.find(i => i >= 0) : undefined;
fill(get("policy"), [["", "all"], ...every(data.policies)]);
fill(get("part"), [["", "all"], ...every(data.parts)]);
fill(get("speaker"), [["", "all"], ...every(data.speakers)]);
fill(get("errors"), [
  ["", "any or none"], ["some", "some"], ["none", "none"], ...KINDS.map(kind => [kind, kind]),
  ...(baseline === undefined ? [] : [["fewer", "fewer than baseline"], ["more", "more than baseline"]]),
]);
fill(get("order"), [["changed", "most changed"], ["worst", "most errors"], ["", "as in the corpus"]]);
fill(get("masker"), [["", "none"], ...every(data.policies)]);

function errors(policy, place, kinds = KINDS) {  // mean over seeds
  return kinds.reduce((sum, kind) => sum + data.errors[kind][policy][place], 0) / Math.max(1, data.seeds[policy]);
}

function policiesMeant() {
  const value = get("policy").value;
  return value === "" ? data.policies.map((_, i) => i) : [Number(value)];
}

function changed(place) {
  const means = data.policies.map((_, policy) => errors(policy, place));
  return Math.max(...means) - Math.min(...means);
}

function total(place) {
  return policiesMeant().reduce((sum, policy) => sum + errors(policy, place), 0);
}

function errorsFit(place, wanted) {
  if (!wanted) return true;
  if (place >= data.tested) return false;
  if (wanted === "none") return total(place) === 0;
  const kinds = KINDS.includes(wanted) ? [wanted] : KINDS;
  return policiesMeant().some(policy => {
    if (wanted !== "fewer" && wanted !== "more") return errors(policy, place, kinds) > 0;
    const other = data.baselines[policy];
    const more = other < 0 ? 0 : errors(policy, place) - errors(other, place);
    return wanted === "fewer" ? more < 0 : more > 0;
  });
}

function fits(place) {
  const [part, speaker] = [get("part").value, get("speaker").value];
  const text = get("search").value.trim().toLowerCase();
  return (part === "" || data.part[place] === Number(part))
    && (speaker === "" || data.speaker[place] === Number(speaker))
    && (!get("heard").checked || heard.has(place))
    && (!text || data.references[place].toLowerCase().includes(text) || data.ids[place].toLowerCase().includes(text))
    && errorsFit(place, get("errors").value);
}

function list() {
  shown = places.filter(fits);
  const order = get("order").value;
  if (order) {
    const score = new Map(shown.map(place => [place, place < data.tested ? (order === "changed" ? changed(place) : total(place)) : -1]));
    shown.sort((a, b) => score.get(b) - score.get(a) || a - b);
  }
  const names = policiesMeant().map(policy => data.policies[policy]).join(" / ");
  const cut = shown.length > listed ? ` The first ${listed} are listed.` : "";
  get("count").textContent =
    `${shown.length.toLocaleString("en")} of ${places.length.toLocaleString("en")} utterances.${cut} Errors: means over seeds, ${names}.`;
  get("list").replaceChildren(...shown.slice(0, listed).map(option));
  mark();
}

function line(kind, text) {
  const place = document.createElement("div");
  place.className = kind;
  place.textContent = text;
  return place;
}

function option(place) {
  const item = document.createElement("li");
  item.id = `utterance-${place}`;
  item.setAttribute("role", "option");
  item.dataset.place = place;
  const counts = policiesMeant().map(policy => Number(errors(policy, place).toFixed(1))).join(" / ");
  const facts = [data.speakers[data.speaker[place]], data.parts[data.part[place]]];
  facts.push(place < data.tested ? `errors ${counts}` : "trained on");
  if (heard.has(place)) facts.push("\u266a");
  item.append(line("", data.references[place]), line("small", facts.join(" \u00b7 ")));
  return item;
}

function mark() {
  for (const item of get("list").children)
    item.setAttribute("aria-selected", String(Number(item.dataset.place) === chosen));
  const item = get(`utterance-${chosen}`);
  if (item) get("list").setAttribute("aria-activedescendant", item.id);
  else get("list").removeAttribute("aria-activedescendant");
  return item;
}

function bring(item) { // into sight, in the list alone: scrollIntoView would open the page far down
  if (!item) return;
  const list = get("list");
  const top = item.offsetTop - list.offsetTop;
  const most = top + item.offsetHeight - list.clientHeight;
  list.scrollTop = Math.max(most, Math.min(top, list.scrollTop));
}

async function choose(place) {
  chosen = place;
  bring(mark());
  get("chosen").hidden = false;
  get("name").textContent = data.ids[place];
  const facts = [data.speakers[data.speaker[place]], data.parts[data.part[place]]];
  if (data.folds > 1) facts.push(`fold ${data.fold[place]}`);
  facts.push(`${data.words[place]} words`);
  get("facts").textContent = facts.join(" \u00b7 ");
  const there = heard.has(place);
  get("seen").hidden = !there;
  get("silent").hidden = there || !heard.size;
  get("transcripts").hidden = place >= data.tested;
  seeds();
  words();
  audio.pause();
  levels = null;
  if (!there) return;
  const sound = block(`sound-${place}`);
  audio.hidden = !sound.audio;
  audio.src = sound.audio ?? "";
  get("cursor").hidden = true;
  const found = await inflated(sound.picture);
  if (chosen !== place) return;
  levels = found;
  masks();
}

function runsOf(policy, fold) {
  return data.runs.map((run, number) => ({ policy: run[0], seed: run[1], fold: run[2], drawn: run[3], epochs: run[4], number }))
    .filter(run => run.fold === fold && (policy === "" || run.policy === Number(policy)));
}

function keep(select, pairs) {  // what was chosen stays chosen where it is still there
  const before = select.value, first = !select.options.length;
  fill(select, pairs);
  if (!first && pairs.some(([value]) => String(value) === before)) select.value = before;
}

function seeds() {
  const fold = data.fold[chosen], unique = runs => [...new Set(runs.map(run => run.seed))].sort((a, b) => a - b);
  const pairs = unique(runsOf("", fold)).map(seed => [seed, seed]);
  keep(get("seed"), pairs.length > 1 ? [...pairs, ["", "every"]] : pairs);
  keep(get("masks-seed"), unique(runsOf(get("masker").value, fold)).map(seed => [seed, seed]));
}

function words() {
  if (chosen < 0 || chosen >= data.tested) return;
  const fold = data.fold[chosen], place = placeInFold(chosen), seed = get("seed").value;
  const rows = runsOf("", fold).filter(run => seed === "" || run.seed === Number(seed)).map(run => {
    const text = block(`run-${run.number}`).texts[place];
    const count = text === 0 ? 0 : [...text[1]].filter(step => step !== "=").length;
    const name = data.policies[run.policy] + (seed === "" ? `, seed ${run.seed}` : "");
    return [`${name}: ${count}`, ...(text === 0 ? [0] : text)];
  });
  showWords(get("words"), data.references[chosen], rows);
}

function placeInFold(place) {
  return data.fold.slice(0, place).filter(fold => fold === data.fold[place]).length;
}

function masks() {
  if (!levels || !heard.has(chosen)) return;
  const sound = block(`sound-${chosen}`), seed = get("masks-seed").value, policy = get("masker").value;
  const run = runsOf(policy, data.fold[chosen]).find(one => one.seed === Number(seed));
  const drawn = policy === "" || !run ? [] : block(`run-${run.number}`).draws[chosen] ?? [];
  const slider = get("epoch");
  slider.max = Math.max(1, drawn.length);
  slider.disabled = get("masks-seed").disabled = policy === "" || !drawn.length;
  const epoch = Number(slider.value), steps = drawn[epoch - 1] ?? [];
  get("epoch-told").textContent = drawn.length ? `${epoch} of ${run.epochs}` : "";
  const state = augmented(sound, levels, steps, data.colours);
  drawnWidth = get("screen").clientWidth;
  drawSound(get("picture"), sound, state, steps, data.colours);
  const held = drawn.length && drawn.length < run.epochs ? ` The page holds the first ${drawn.length} epochs.` : "";
  const name = policy === "" ? "" : `${data.policies[policy]}, seed ${seed}, epoch ${epoch}: `;
  const use = chosen < data.tested && steps.length ? " No run trained on it; training would have hidden this." : "";
  const text = policy === "" ? "As it is." : drawn.length ? `${name}${said(steps, state)}${use}${held}` : `${name}not known.`;
  get("told").textContent = text;
  get("picture").setAttribute("aria-label", `Waveform and spectrogram. ${text}`);
}

function follow() {
  if (!heard.has(chosen)) return;
  const sound = block(`sound-${chosen}`), cursor = get("cursor"), room = get("screen").clientWidth - LEFT - 8;
  cursor.hidden = false;
  cursor.style.left = `${LEFT + audio.currentTime / (sound.frames * sound.shift) * room}px`;
  cursor.style.height = `${WAVE + GAP + HEIGHT}px`;
  if (!audio.paused) requestAnimationFrame(follow);
}

function stepped(event) {
  const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!step || !shown.length) return;
  event.preventDefault();
  const last = Math.min(shown.length, listed) - 1, at = shown.indexOf(chosen);
  choose(shown[Math.max(0, Math.min(last, at + step))]);
}

get("filters").addEventListener("change", event => {
  if (event.target.id !== "search") list();  // which has changed already; to make the list anew would lose a click on it
});
get("search").addEventListener("input", list);
get("filters").addEventListener("submit", event => event.preventDefault());
get("list").addEventListener("keydown", stepped);
get("list").addEventListener("click", event => {
  const item = event.target.closest("li");
  if (item) choose(Number(item.dataset.place));
});
get("seed").addEventListener("change", words);
get("masker").addEventListener("change", () => { seeds(); masks(); });
get("masks-seed").addEventListener("change", masks);
get("epoch").addEventListener("input", masks);
audio.addEventListener("play", follow);
audio.addEventListener("seeked", follow);
get("picture").addEventListener("click", event => {
  const sound = block(`sound-${chosen}`), room = get("screen").clientWidth - LEFT - 8;
  if (sound.audio) audio.currentTime = Math.max(0, (event.offsetX - LEFT) / room * sound.frames * sound.shift);
});
new ResizeObserver(() => { if (get("screen").clientWidth !== drawnWidth) masks(); }).observe(get("screen"));
new ResizeObserver(words).observe(get("words"));
for (const query of ["print", "(prefers-color-scheme: dark)"]) matchMedia(query).addEventListener("change", masks);

get("note").textContent = data.note;
get("heard-label").hidden = !heard.size;
const strong = data.runs.filter(run => run[3]).map(run => run[0]).at(-1);
if (strong !== undefined) get("masker").value = strong;
list();
if (shown.length) choose(shown.find(place => heard.has(place)) ?? shown[0]);
