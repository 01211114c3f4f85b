// A reference and what runs wrote, word under word; lines are broken where the room ends.

const pen = document.createElement("canvas").getContext("2d");

// The words of a hypothesis by the word of the reference under which they stand; the last place is behind them all.
function placed(reference, hypothesis, steps) {
  const cells = Array.from({ length: reference.length + 1 }, () => []);
  let said = 0, heard = 0;
  for (const step of steps) {
    if (step === "i") cells[said].push(["ins", "\u2038" + hypothesis[heard++]]);
    else if (step === "d") cells[said].push(["del", reference[said++]]);
    else cells[said++].push([step === "s" ? "em" : "span", hypothesis[heard++]]);
  }
  return cells;
}

function marked([kind, text]) {
  const word = document.createElement(kind);
  word.textContent = text;
  if (kind === "em") word.className = "sub";
  if (kind === "span") word.className = "same";
  if (kind !== "span") word.title = { em: "another word", del: "left out", ins: "added" }[kind];
  return word;
}

function split(text) {
  return text.split(" ").filter(word => word);
}

// rows: [name, hypothesis, steps], or [name, 0] where the hypothesis is the reference
function showWords(place, reference, rows) {
  const said = split(reference);
  const lines = rows.map(([name, text, steps]) =>
    [name, text === 0 ? placed(said, said, "=".repeat(said.length)) : placed(said, split(text), steps)]);
  lines.unshift(["said", [...said.map(word => [["b", word]]), []]]);
  const style = getComputedStyle(place);
  pen.font = `16px ${style.fontFamily}`;
  const width = text => pen.measureText(text).width + 8;
  const columns = lines[0][1].map((_, i) =>
    Math.max(...lines.map(([, cells]) => width(cells[i].map(([, text]) => text).join(" ")))));
  const room = place.clientWidth - Math.max(...lines.map(([name]) => width(name))) - 16;
  const ends = [];
  let used = 0;
  columns.forEach((column, i) => {
    if (used && used + column > room) { ends.push(i); used = 0; }
    used += column;
  });
  const last = lines.some(([, cells]) => cells[said.length].length) ? said.length + 1 : said.length;
  place.replaceChildren(...[0, ...ends.filter(end => end < last)].map((start, i) =>
    alignedTable(lines, start, Math.min(ends[i] ?? last, last))));
}

function alignedTable(lines, start, end) {
  const table = document.createElement("table");
  table.className = "aligned";
  for (const [name, cells] of lines) {
    const row = table.insertRow(), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    for (const words of cells.slice(start, end)) {
      const cell = row.insertCell();
      words.forEach((word, i) => cell.append(i ? " " : "", marked(word)));
    }
  }
  return table;
}
