// The map of a scene: layers are unpacked when they are switched on, and what lies under the
// pointer is told. A code of a band is 0 for no data, else the value is low + (code - 1) * step.
"use strict";

const record = JSON.parse(document.getElementById("record").textContent);
const byKey = new Map(record.layers.map((layer) => [layer.key, layer]));
const readout = document.getElementById("readout");
const INNER = 0.97; // the scene fills so much of the map at the start
const NEAR_PX = 10;
const VEIL = 150; // unclassified ground is pale, of 255, and the picture below shows through
const MOST_NAMES = 60;

// ---- Bands ---------------------------------------------------------------------------------

async function unpack(layer, band) {
  if (band.codes) return band.codes;
  const packed = Uint8Array.from(atob(document.getElementById(band.plane).textContent), (c) =>
    c.charCodeAt(0),
  );
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const { width, height } = layer.place;
  const size = width * height;
  let codes = bytes;
  if (band.bytes === 2) {
    codes = new Uint16Array(size);
    for (let i = 0; i < size; i++) codes[i] = bytes[i] | (bytes[size + i] << 8);
  }
  if (band.differs)
    for (let row = 0; row < height; row++)
      for (let i = row * width + 1; i < (row + 1) * width; i++) codes[i] += codes[i - 1];
  return (band.codes = codes);
}

const valueOf = (band, code) => band.low + (code - 1) * band.step;

function textOf(band, code, unit) {
  const digits = Math.min(10, Math.max(0, -Math.floor(Math.log10(band.step || 1) + 1e-9)));
  return `${valueOf(band, code).toFixed(digits)}${unit ? ` ${unit}` : ""}`;
}

// ---- Pictures ------------------------------------------------------------------------------

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
const packed = ([red, green, blue], alpha = 255) =>
  ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

function along(stops, value) {
  let place = stops.findIndex(([end]) => value <= end);
  if (place === 0) return channels(stops[0][1]);
  if (place < 0) return channels(stops[stops.length - 1][1]);
  const [[low, first], [high, second]] = [stops[place - 1], stops[place]];
  const share = (value - low) / (high - low);
  const to = channels(second);
  return channels(first).map((part, i) => Math.round(part + share * (to[i] - part)));
}

function coloursOf(layer, band) {
  const table = new Uint32Array(band.bytes === 2 ? 65536 : 256);
  table[0] = packed(channels(record.nodata));
  if (layer.kind === "classes") {
    for (const [value, , colour] of layer.classes) {
      const code = Math.round((value - band.low) / (band.step || 1)) + 1;
      const alpha = colour === record.unclassified ? VEIL : 255;
      if (code > 0) table[code] = colour ? packed(channels(colour), alpha) : 0;
    }
  } else {
    for (let code = 1; code < table.length; code++)
      table[code] = packed(along(band.stops, valueOf(band, code)));
  }
  return table;
}

async function paint(layer) {
  const { width, height } = layer.place;
  const image = new Uint32Array(width * height);
  if (layer.kind === "picture") {
    const bands = await Promise.all(layer.bands.map((band) => unpack(layer, band)));
    const tables = layer.bands.map(({ stops, bytes, ...band }) => {
      const [low, high] = [stops[0][0], stops[stops.length - 1][0]];
      return Uint8ClampedArray.from({ length: bytes === 2 ? 65536 : 256 }, (_, code) =>
        Math.round((255 * (valueOf(band, code) - low)) / (high - low)),
      );
    });
    const masked = packed(channels(record.nodata));
    for (let i = 0; i < image.length; i++) {
      const codes = bands.map((band) => band[i]);
      image[i] = codes.includes(0) ? masked : packed(codes.map((code, at) => tables[at][code]));
    }
  } else {
    const band = layer.bands[layer.band];
    const codes = await unpack(layer, band);
    const table = coloursOf(layer, band);
    for (let i = 0; i < image.length; i++) image[i] = table[codes[i]];
  }
  const source = layer.renderers[0].data_source;
  const NumberArray = source.data.image[0].constructor;
  source.data = { image: [new NumberArray(image, [height, width])] };
}

// Of outlines that come with points, as targets do, the points stand for both.
function labelled(layer) {
  const dotted = layer.marks.filter((mark) => mark.points.length);
  return dotted.length ? dotted : layer.marks;
}

function place(layer) {
  const [lines, , points, names] = layer.renderers.map((renderer) => renderer.data_source);
  const xs = [], ys = [], strokes = [], x = [], y = [], dots = [];
  for (const mark of layer.marks) {
    const colour = mark.colour ?? layer.colour;
    for (const line of [...mark.rings.flat(), ...mark.lines]) {
      xs.push(line.map((at) => at[0]));
      ys.push(line.map((at) => at[1]));
      strokes.push(colour);
    }
    for (const at of mark.points) {
      x.push(at[0]);
      y.push(at[1]);
      dots.push(colour);
    }
  }
  lines.data = { xs, ys, colour: strokes };
  points.data = { x, y, colour: dots };
  const named = labelled(layer);
  if (named.length <= MOST_NAMES)
    names.data = {
      x: named.map((mark) => mark.at[0]),
      y: named.map((mark) => mark.at[1]),
      text: named.map((mark) => mark.name),
    };
}

// ---- Layers --------------------------------------------------------------------------------

function add(parent, kind, text = "", className = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  element.className = className;
  parent.append(element);
  return element;
}

function counted(number) {
  return `${number} feature${number === 1 ? "" : "s"}`;
}

function drawLegend(layer) {
  const legend = layer.panel.querySelector(".legend");
  legend.replaceChildren();
  const swatch = (label, colour, veiled) => {
    const row = add(legend, "div");
    const patch = add(row, "span", "", colour ? "swatch" : "swatch clear");
    if (colour) patch.style.background = colour;
    add(row, "span", veiled ? `${label} (pale, the picture shows through)` : label);
  };
  if (layer.kind === "classes" || layer.kind === "vector")
    for (const [, label, colour] of layer.classes)
      swatch(colour ? label : `${label} (clear)`, colour, colour === record.unclassified);
  if (layer.kind === "vector" && !layer.classes.length)
    swatch(counted(labelled(layer).length), layer.colour);
  if (layer.kind === "ramp") {
    const { stops, step } = layer.bands[layer.band];
    const [low, high] = [stops[0][0], stops[stops.length - 1][0]];
    const parts = stops.map(
      ([at, colour]) => `${colour} ${((100 * (at - low)) / (high - low)).toFixed(1)}%`,
    );
    add(legend, "div", "", "ramp").style.background = `linear-gradient(to right, ${parts})`;
    const ends = add(legend, "div", "", "ends");
    add(ends, "span", `${Number(low.toPrecision(4))}`);
    add(ends, "span", `${Number(high.toPrecision(4))} ${layer.unit}`);
    if (step && step !== 1) add(legend, "div", `Values in steps of ${step}`, "note");
  }
  if (layer.kind === "picture") {
    const names = layer.bands.map((band) => band.title).join(", ");
    add(legend, "div", `Red, green, blue: ${names}`);
    const steps = layer.bands.map((band) => band.step);
    add(legend, "div", `Values in steps of ${Math.max(...steps)}`, "note");
  }
  if (layer.masked) swatch("No data (masked)", record.nodata);
}

function fade(layer) {
  for (const { glyph } of layer.renderers) {
    if ("global_alpha" in glyph) glyph.global_alpha = layer.opacity;
    for (const part of ["line_alpha", "fill_alpha", "text_alpha"])
      if (part in glyph) glyph[part] = layer.opacity;
  }
}

async function show(layer, visible) {
  layer.visible = visible;
  layer.panel.querySelector(".more").hidden = !visible;
  if (visible) {
    drawLegend(layer);
    await (layer.kind === "vector" ? place(layer) : paint(layer));
    fade(layer);
  }
  for (const renderer of layer.renderers) renderer.visible = layer.visible;
  layer.shown = visible;
}

function connect(layer, plot) {
  layer.band = 0;
  layer.renderers = plot.renderers.filter((renderer) => renderer.name === layer.key);
  layer.panel = document.querySelector(`[data-layer="${layer.key}"]`);
  layer.panel.querySelector("[type=checkbox]").onchange = (event) => show(layer, event.target.checked);
  layer.panel.querySelector("[type=range]").oninput = (event) => {
    layer.opacity = event.target.value / 100;
    fade(layer);
  };
  const select = layer.panel.querySelector("select");
  if (select)
    select.onchange = () => {
      layer.band = Number(select.value);
      return show(layer, true);
    };
}

// ---- Under the pointer ---------------------------------------------------------------------

function degreesAt(x, y) {
  const { nodes, kind } = record.frame;
  if (kind === "degrees") return [x, y];
  if (!nodes) return null;
  const last = nodes.number - 1;
  const along = (value, [start, end]) => (last * (value - start)) / (end - start);
  const [column, row] = [along(x, nodes.xs), along(y, nodes.ys)];
  if (column < 0 || row < 0 || column > last || row > last) return null;
  const [i, j] = [Math.min(Math.floor(column), last - 1), Math.min(Math.floor(row), last - 1)];
  const [u, v] = [column - i, row - j];
  return [nodes.longitude, nodes.latitude].map((values) => {
    const at = (di, dj) => values[(j + dj) * nodes.number + i + di];
    return (1 - v) * ((1 - u) * at(0, 0) + u * at(1, 0)) + v * ((1 - u) * at(0, 1) + u * at(1, 1));
  });
}

function coordinates(x, y) {
  const { kind, name, unit } = record.frame;
  if (kind === "pixels") return `column ${Math.floor(x)}, row ${Math.floor(-y)}`;
  const parts = [];
  if (kind === "plain") {
    const digits = unit === "m" || Math.abs(record.bounds[2] - record.bounds[0]) > 1000 ? 0 : 3;
    parts.push(`${x.toFixed(digits)}, ${y.toFixed(digits)}${unit ? ` ${unit}` : ""}`);
    if (name) parts[0] += ` (${name})`;
  }
  const degrees = degreesAt(x, y);
  if (degrees) {
    const longitude = ((((degrees[0] + 180) % 360) + 360) % 360) - 180;
    const side = (value, [positive, negative]) =>
      `${Math.abs(value).toFixed(5)}° ${value < 0 ? negative : positive}`;
    parts.push(`${side(degrees[1], "NS")}, ${side(longitude, "EW")}`);
  }
  return parts.join(" · ");
}

function valueAt(layer, x, y) {
  const { west, north, dx, dy, width, height } = layer.place;
  const [column, row] = [Math.floor((x - west) / dx), Math.floor((north - y) / dy)];
  if (column < 0 || row < 0 || column >= width || row >= height) return null;
  const at = row * width + column;
  if (layer.kind === "picture") {
    if (layer.bands.some((band) => !band.codes[at])) return "no data (masked)";
    return layer.bands.map((band) => `${band.title} ${textOf(band, band.codes[at])}`).join(", ");
  }
  const band = layer.bands[layer.band];
  const code = band.codes[at];
  if (!code) return "no data (masked)";
  const several = layer.bands.length > 1 ? `${band.title}: ` : "";
  if (layer.kind === "ramp") return several + textOf(band, code, layer.unit);
  const value = Math.round(valueOf(band, code));
  return several + (layer.classes.find((item) => item[0] === value)?.[1] ?? `${value}`);
}

function inside(rings, x, y) {
  let within = false;
  for (const ring of rings)
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [[ax, ay], [bx, by]] = [ring[i], ring[j]];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
    }
  return within;
}

function marksAt(layer, x, y, reach) {
  const near = ([px, py]) => Math.hypot((px - x) / reach[0], (py - y) / reach[1]) < 1;
  const beside = (line) =>
    line.some((to, i) => {
      if (!i) return false;
      const from = line[i - 1];
      const way = [0, 1].map((k) => (to[k] - from[k]) / reach[k]);
      const here = [(x - from[0]) / reach[0], (y - from[1]) / reach[1]];
      const length = way[0] ** 2 + way[1] ** 2;
      const t = length && Math.min(1, Math.max(0, (way[0] * here[0] + way[1] * here[1]) / length));
      return Math.hypot(here[0] - t * way[0], here[1] - t * way[1]) < 1;
    });
  return layer.marks.filter(
    (mark) =>
      mark.points.some(near) ||
      mark.rings.some((rings) => inside(rings, x, y)) ||
      mark.lines.some(beside),
  );
}

function tell(plot, x, y) {
  readout.replaceChildren();
  add(readout, "p", coordinates(x, y), "place");
  const { x_range, y_range } = plot;
  const reach = [
    (NEAR_PX * (x_range.end - x_range.start)) / plot.inner_width,
    (NEAR_PX * (y_range.end - y_range.start)) / plot.inner_height,
  ];
  for (const layer of record.layers.filter((item) => item.shown)) {
    const texts =
      layer.kind === "vector"
        ? marksAt(layer, x, y, reach).map((mark) =>
            mark.attributes.map((pair) => pair.join(" ")).join(", ") || "here",
          )
        : [valueAt(layer, x, y)];
    for (const text of new Set(texts.filter((item) => item !== null))) {
      const line = add(readout, "p");
      add(line, "b", layer.title);
      line.append(` ${text}`);
    }
  }
}

// ---- The view ------------------------------------------------------------------------------

// Units have one size on the screen in both directions, whatever the shape of the window.
function frameView(plot, centre, unitsPerPx) {
  const halfX = (plot.inner_width * unitsPerPx) / 2;
  const halfY = (plot.inner_height * unitsPerPx) / 2 / record.frame.stretch;
  plot.x_range.setv({ start: centre[0] - halfX, end: centre[0] + halfX });
  plot.y_range.setv({ start: centre[1] - halfY, end: centre[1] + halfY });
}

function wholeScene(plot) {
  const [west, south, east, north] = record.bounds;
  const unitsPerPx = Math.max(
    (east - west) / plot.inner_width,
    ((north - south) * record.frame.stretch) / plot.inner_height,
  );
  frameView(plot, [(west + east) / 2, (south + north) / 2], unitsPerPx / INNER);
}

function middle({ x_range, y_range }) {
  return [(x_range.start + x_range.end) / 2, (y_range.start + y_range.end) / 2];
}

async function start() {
  if (typeof DecompressionStream === "undefined") {
    readout.textContent =
      "This browser is too old for the map: take Chrome 80, Firefox 113, Safari 16.4 or later.";
    return;
  }
  await Bokeh.embed.embed_items({ map: record.document }, [
    { docid: "map", roots: { [record.root]: document.getElementById("plot") }, root_ids: [record.root] },
  ]);
  const plot = Bokeh.documents[0].get_model_by_name("map");
  for (const layer of record.layers) connect(layer, plot);
  wholeScene(plot);
  let width = plot.inner_width;
  for (const size of ["inner_width", "inner_height"])
    plot.properties[size].change.connect(() => {
      const unitsPerPx = (plot.x_range.end - plot.x_range.start) / width;
      width = plot.inner_width;
      frameView(plot, middle(plot), unitsPerPx);
    });
  for (const button of document.querySelectorAll("[data-zoom]"))
    button.onclick = () => {
      const factor = Number(button.dataset.zoom);
      const unitsPerPx = (plot.x_range.end - plot.x_range.start) / plot.inner_width;
      if (factor) frameView(plot, middle(plot), unitsPerPx * factor);
      else wholeScene(plot);
    };
  plot.on_event("mousemove", ({ x, y }) => tell(plot, x, y));
  plot.on_event("tap", ({ x, y }) => tell(plot, x, y));
  await Promise.all(record.layers.filter((layer) => layer.visible).map((layer) => show(layer, true)));
  document.body.dataset.ready = "yes";
}

start();
