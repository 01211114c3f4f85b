// A waveform above a spectrogram, and what a policy does to it. The steps are described in drawings.py.

const LEFT = 50, WAVE = 56, GAP = 8, HEIGHT = 200, FOOT = 26;  // pixels

function bytes(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
}

async function inflated(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Where each place of the output is read: stretches of neighbours, as [place, source, place, source, ...].
function sources(length, stretches) {
  const found = new Array(length);
  for (let i = 0; i < stretches.length; i += 2) {
    const end = i + 2 < stretches.length ? stretches[i + 2] : length;
    for (let place = stretches[i]; place < end; place++) found[place] = stretches[i + 1] + place - stretches[i];
  }
  return found;
}

function warped(frames, [centre, shift, last]) {
  const target = centre + shift;
  return Array.from({ length: frames }, (_, frame) => {
    const from = frame <= target ? frame * centre / target : centre + (frame - target) * (last - centre) / (last - target);
    return Math.min(Math.round(from), frames - 1);
  });
}

function frameMoved(state, from) {
  const { mel } = state, pick = old => {
    const moved = new Uint8Array(from.length * mel);
    from.forEach((source, frame) => moved.set(old.subarray(source * mel, (source + 1) * mel), frame * mel));
    return moved;
  };
  Object.assign(state, { frames: from.length, levels: pick(state.levels), hidden: pick(state.hidden) });
}

function channelMoved(state, from) {
  for (const name of ["levels", "hidden"]) {
    const old = state[name];
    state[name] = old.map((_, i) => old[i - i % state.mel + from[i % state.mel]]);
  }
}

function hide(state, kind, values) {
  for (let i = 0; i < values.length; i += 2) {
    const [start, end] = [values[i], values[i] + values[i + 1]];
    if (kind === "t") state.hidden.fill(1, start * state.mel, end * state.mel);
    else for (let frame = 0; frame < state.frames; frame++)
      state.hidden.fill(1, frame * state.mel + start, frame * state.mel + end);
  }
}

function hidePatches(state, [tall, wide, across, digits]) {
  [...digits].flatMap(digit => [...parseInt(digit, 16).toString(2).padStart(4, "0")]).forEach((bit, i) => {
    const frame = Math.floor(i / across) * tall, channel = i % across * wide;
    if (bit === "1") for (let row = frame; row < frame + tall; row++)
      state.hidden.fill(1, row * state.mel + channel, row * state.mel + channel + wide);
  });
}

const DEVIATIONS = 5;  // from the darkest to the lightest level

// The spectrogram and its hidden cells after all steps.
function augmented(sound, levels, steps, colours) {
  const state = { frames: sound.frames, mel: sound.mel, levels, hidden: new Uint8Array(levels.length) };
  const top = colours.length - 1;
  for (const [kind, ...values] of steps) {
    if (kind === "w") frameMoved(state, warped(state.frames, values));
    else if (kind === "p") hidePatches(state, values);
    else if (kind === "s") frameMoved(state, sources(values[0], values.slice(1)));
    else if (kind === "c") channelMoved(state, sources(values[0], values.slice(1)));
    else if (kind === "g") state.levels = state.levels.map((level, i) =>
      Math.max(0, Math.min(top, Math.round(level + values[i % state.mel] / 100 / DEVIATIONS * top))));
    else hide(state, kind, values);
  }
  return state;
}

function share(state) {
  return state.hidden.reduce((sum, bit) => sum + bit, 0) / Math.max(1, state.hidden.length);
}

function spans(values) {
  const pairs = [];
  for (let i = 0; i < values.length; i += 2) pairs.push([values[i], values[i] + values[i + 1] - 1]);
  return pairs.sort((a, b) => a[0] - b[0]).map(([first, last]) => first === last ? first : `${first}\u2013${last}`).join(", ");
}

// What the steps do, in words; frames and channels are counted from 0.
function said(steps, state) {
  const texts = steps.map(([kind, ...values]) => ({
    w: () => `frame ${values[0]} moves to ${values[0] + values[1]}${values[3] ? " (drawn as if all channels moved alike)" : ""}`,
    t: () => `frames ${spans(values)} hidden`,
    f: () => `channels ${spans(values)} hidden`,
    p: () => "patches hidden",
    s: () => `frames moved, ${values[0]} left`,
    c: () => "channels moved",
    g: () => "channels made louder and softer",
  })[kind]());
  const hidden = `${(100 * share(state)).toFixed(1)} % of the cells hidden`;
  return texts.length ? `${texts.join("; ")}: ${hidden}.` : "nothing is drawn.";
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function image(state, paint) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [state.frames, state.mel];
  const context = canvas.getContext("2d"), data = context.createImageData(state.frames, state.mel);
  for (let frame = 0; frame < state.frames; frame++) for (let channel = 0; channel < state.mel; channel++)
    data.data.set(paint(frame * state.mel + channel), 4 * ((state.mel - 1 - channel) * state.frames + frame));
  context.putImageData(data, 0, 0);
  return canvas;
}

// A pattern over hidden cells: seen without colours, and what lies below shines through.
function veil(state, width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(image(state, i => [0, 0, 0, state.hidden[i] ? 255 : 0]), 0, 0, width, height);
  context.globalCompositeOperation = "source-in";
  context.globalAlpha = 0.8;
  context.fillStyle = colour("--paper");
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "source-atop";
  context.globalAlpha = 0.55;
  context.strokeStyle = colour("--ink");
  context.lineWidth = height / 200;
  context.beginPath();
  const step = height / 25;
  for (let x = -height; x < width; x += step) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  return canvas;
}

function drawWave(context, sound, width) {
  const values = new Int8Array(bytes(sound.wave).buffer), columns = values.length / 2, middle = WAVE / 2;
  context.fillStyle = colour("--soft");
  for (let i = 0; i < columns; i++) {
    const top = middle - values[2 * i + 1] / 127 * middle, bottom = middle - values[2 * i] / 127 * middle;
    context.fillRect(LEFT + i / columns * width, top, Math.max(0.6, width / columns * 0.8), Math.max(0.8, bottom - top));
  }
}

function drawAxes(context, sound, width, top) {
  context.fillStyle = colour("--soft");
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [place, name] of sound.ticks ?? [])
    context.fillText(name, LEFT - 6, top + HEIGHT * (1 - (place + 0.5) / sound.mel));
  context.textAlign = "center";
  context.textBaseline = "top";
  const seconds = sound.frames * sound.shift;
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60].find(size => seconds / size * 45 <= width) ?? 300;
  for (let i = 0; i * step <= seconds; i++)
    context.fillText(`${Number((i * step).toFixed(1))}${i ? "" : " s"}`, LEFT + i * step / seconds * width, top + HEIGHT + 6);
}

function drawWarp(context, [centre, shift], frames, width, top) {
  const at = frame => LEFT + (frame + 0.5) / frames * width, [from, to] = [at(centre), at(centre + shift)];
  const y = top + HEIGHT / 2, head = Math.sign(shift) * Math.min(8, Math.abs(to - from));
  for (const [ink, wide] of [["#000000", 5], ["#ffffff", 2]]) {
    context.strokeStyle = ink;
    context.lineWidth = wide;
    context.beginPath();
    context.moveTo(from, y - 12);
    context.lineTo(from, y + 12);
    context.moveTo(from, y);
    context.lineTo(to, y);
    context.moveTo(to - head, y - 6);
    context.lineTo(to, y);
    context.lineTo(to - head, y + 6);
    context.stroke();
  }
}

function drawSound(canvas, sound, state, steps, colours) {
  const width = canvas.parentElement.clientWidth - LEFT - 8, top = sound.wave ? WAVE + GAP : 0;
  const ratio = window.devicePixelRatio || 1, whole = [width + LEFT + 8, top + HEIGHT + FOOT];
  [canvas.width, canvas.height] = whole.map(size => Math.round(size * ratio));
  canvas.style.height = `${whole[1]}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.imageSmoothingEnabled = false;
  const shades = colours.map(text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16)).concat(255));
  const wide = width * state.frames / sound.frames;  // what was cut out leaves room
  if (sound.wave) drawWave(context, sound, width);
  context.drawImage(image(state, i => shades[state.levels[i]]), LEFT, top, wide, HEIGHT);
  context.drawImage(veil(state, Math.round(wide * ratio), HEIGHT * ratio), LEFT, top, wide, HEIGHT);
  for (const [kind, ...values] of steps) if (kind === "w") drawWarp(context, values, sound.frames, width, top);
  drawAxes(context, sound, width, top);
}
