// The graph as SVG. Its layout changes only when a node or a link is added or removed.

import { NODE, layout } from "/layout.js";
import { bytes, perSecond } from "/units.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 18;
const [SMALLEST, LARGEST] = [0.62, 1.15];

// Drawn around the origin, 16 by 16.
const GLYPHS = {
  mutual_tls: "M-5,-1 h10 v7 h-10 z M-3,-1 v-2.5 a3,3 0 0 1 6,0 v2.5",
  none: "M-5,-1 h10 v7 h-10 z M-3,-1 v-3.5 a3,3 0 0 1 5.8,-1",
  unknown: "M-5,4 L5,-4 M0,-4 h5 v5",
  failing: "M-4,-4 L4,4 M4,-4 L-4,4",
  sidecar: "M0,-8 L7,-4 V4 L0,8 L-7,4 V-4 Z M-3,0 h6 M1,-2.5 L3.5,0 L1,2.5",
  client: "M0,-7 a3.5,3.5 0 1 0 0.01,0 z M-7,8 a7,6.5 0 0 1 14,0",
  outside: "M0,-8 a8,8 0 1 0 0.01,0 z M-8,0 h16 M0,-8 a4,8 0 0 0 0,16 a4,8 0 0 0 0,-16",
};

let drawn = { shape: "", nodes: new Map(), links: [] };

/** Updates `svg`. */
export function draw(svg, mesh) {
  const shape = JSON.stringify([mesh.nodes, mesh.edges.map((edge) => [edge.source, edge.destination, edge.service])]);
  if (shape !== drawn.shape) drawn = { shape, ...build(svg, mesh) };
  for (const [index, edge] of mesh.edges.entries()) update(drawn.links[index], edge);
  for (const [name, node] of drawn.nodes) node.textContent = role(name, mesh);
}

function build(svg, mesh) {
  const plan = layout(mesh.nodes, mesh.edges);
  const size = [-MARGIN, -MARGIN, plan.width + 2 * MARGIN, plan.height + 2 * MARGIN];
  svg.setAttribute("viewBox", size.join(" "));
  // A small mesh is not enlarged. On a narrow screen a large mesh stays readable and scrolls.
  svg.style.maxWidth = `${size[2] * LARGEST}px`;
  svg.style.minWidth = `${size[2] * SMALLEST}px`;
  const layer = () => svg.appendChild(element("g"));
  for (const old of svg.querySelectorAll(":scope > g")) old.remove();
  const [lines, boxes, labels] = [layer(), layer(), layer()];
  const links = plan.links.map(({ edge, points }) => link(edge, points, lines, labels));
  const nodes = new Map(plan.nodes.map((node) => [node.name, box(node, mesh, boxes)]));
  return { nodes, links };
}

function box({ name, x, y }, mesh, into) {
  const type = nodeType(name, mesh);
  const group = element("g", { class: `node ${type}`, transform: `translate(${x},${y})` });
  group.dataset.name = name;
  group.append(element("title", {}, name));
  group.append(element("rect", { x: -NODE.width / 2, y: -NODE.height / 2, width: NODE.width, height: NODE.height, rx: 12 }));
  group.append(element("path", { class: "glyph", d: GLYPHS[type], transform: `translate(${22 - NODE.width / 2},0)` }));
  const text = 40 - NODE.width / 2;
  const label = element("text", { class: "name", x: text, y: -4 }, name);
  group.append(label);
  const detail = element("text", { class: "detail", x: text, y: 15 });
  group.append(detail);
  into.append(group);
  shorten(label, NODE.width - 48);
  return detail;
}

function nodeType(name, mesh) {
  if (mesh.sidecars.includes(name)) return "sidecar";
  return mesh.edges.some((edge) => edge.destination === name) ? "outside" : "client";
}

function role(name, mesh) {
  const type = nodeType(name, mesh);
  if (type === "outside") return "outside the mesh";
  if (type === "client") return name === "unknown" ? "without metadata" : "without a sidecar";
  const own = mesh.edges.filter((edge) => edge.source === name || edge.destination === name);
  return bytes(own.reduce((sum, edge) => sum + edge.received_per_second + edge.sent_per_second, 0));
}

function link(edge, points, lines, labels) {
  const d = curve(points);
  const group = element("g", { class: "link" });
  for (const name of ["source", "destination", "service"]) group.dataset[name] = edge[name];
  const base = element("path", { class: "line", d });
  const flow = element("path", { class: "flow", d });
  const { x, y } = points.at(-1);
  const from = points.at(-2).x < x ? -1 : 1;
  const head = element("path", { class: "head", d: `M${x},${y} l${9 * from},-5 v10 z` });
  group.append(base, flow, head);
  lines.append(group);

  const label = element("g", { class: "label" });
  const rect = element("rect", { height: 34, rx: 9 });
  const glyph = element("path", { class: "glyph" });
  const rate = element("text", { class: "rate", y: -2 });
  const more = element("text", { class: "more", y: 11.5 });
  label.append(element("title"), rect, glyph, rate, more);
  labels.append(label);
  const middle = base.getPointAtLength(base.getTotalLength() * (points.length > 2 ? 0.5 : 0.48));
  label.setAttribute("transform", `translate(${middle.x},${middle.y})`);
  return { group, base, flow, label, rect, glyph, rate, more };
}

function update({ group, base, flow, label, rect, glyph, rate, more }, edge) {
  const type = kind(edge);
  const total = edge.received_per_second + edge.sent_per_second;
  const width = Math.min(7, 1.4 + 0.8 * Math.log10(1 + total));
  group.setAttribute("class", `link ${type}`);
  label.setAttribute("class", `label ${type}`);
  base.setAttribute("stroke-width", width);
  flow.setAttribute("stroke-width", Math.max(1.2, width * 0.45));
  flow.style.display = total > 0 ? "" : "none";
  flow.style.animationDuration = `${Math.max(0.5, 4 - 0.6 * Math.log10(1 + total)).toFixed(1)}s`;
  glyph.setAttribute("d", GLYPHS[type]);
  const fails = edge.flags !== "-";
  rate.textContent = fails && total === 0 ? edge.flags : bytes(total);
  const open = edge.open > 0 ? `${edge.open} open` : `${perSecond(edge.opened_per_second, "new")}`;
  more.textContent = fails && total > 0 ? `${edge.flags} · ${open}` : open;
  label.firstChild.textContent = `${edge.source} → ${edge.destination} (${edge.service}): ${edge.security}, ${bytes(
    edge.received_per_second,
  )} requests, ${bytes(edge.sent_per_second)} responses, ${edge.open} open, ${perSecond(edge.opened_per_second)} opened`;

  const text = Math.max(rate.getComputedTextLength(), more.getComputedTextLength());
  const whole = text + 36;
  rect.setAttribute("x", -whole / 2);
  rect.setAttribute("y", -17);
  rect.setAttribute("width", whole);
  glyph.setAttribute("transform", `translate(${15 - whole / 2},-1)`);
  for (const line of [rate, more]) line.setAttribute("x", 27 - whole / 2);
}

/** Cuts the end of a text that does not fit. */
function shorten(text, width) {
  if (text.getComputedTextLength() > width) text.classList.add("long");
  const whole = [...text.textContent];
  for (let kept = whole.length - 1; kept > 0 && text.getComputedTextLength() > width; kept -= 1) {
    text.textContent = `${whole.slice(0, kept).join("")}…`;
  }
}

/** A curve that is horizontal at both ends. */
function curve(points) {
  let d = `M${points[0].x},${points[0].y}`;
  for (let index = 1; index < points.length; index += 1) {
    const [a, b] = [points[index - 1], points[index]];
    const reach = (b.x - a.x) / 2;
    d += ` C${a.x + reach},${a.y} ${b.x - reach},${b.y} ${b.x},${b.y}`;
  }
  return d;
}

/** The style of a link. */
export function kind(edge) {
  if (edge.flags !== "-") return "failing";
  return edge.security === "mutual_tls" || edge.security === "unknown" ? edge.security : "none";
}

function element(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
