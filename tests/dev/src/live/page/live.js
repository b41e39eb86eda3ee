// Fetches and shows the mesh every second. Labels come from peers, so they are inserted as text, never as markup.

import { draw, kind } from "/draw.js";
import { bytes, perSecond } from "/units.js";

const INTERVAL = 1000;
const SECURITY = { mutual_tls: "mTLS", none: "plaintext", unknown: "unknown" };

const byId = (id) => document.getElementById(id);

async function refresh() {
  try {
    const response = await fetch("/graph.json", { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    show(await response.json());
  } catch (error) {
    document.body.classList.add("stale");
    say(`No answer from the demo: it has probably ended (${error.message}).`);
  }
  setTimeout(refresh, INTERVAL);
}

function show(mesh) {
  document.body.classList.remove("stale");
  draw(byId("graph"), mesh);
  byId("links").replaceChildren(...mesh.edges.map(row));
  const sum = (of) => mesh.edges.reduce((total, edge) => total + of(edge), 0);
  byId("traffic").textContent = bytes(sum((edge) => edge.received_per_second + edge.sent_per_second));
  byId("open").textContent = String(sum((edge) => edge.open));
  const secure = mesh.edges.filter((edge) => edge.security === "mutual_tls").length;
  byId("secure").textContent = `${secure} of ${mesh.edges.length}`;
  const silent = mesh.silent.length > 0 ? ` No answer from ${mesh.silent.join(", ")}.` : "";
  const sidecars = mesh.sidecars.length === 1 ? "1 sidecar" : `${mesh.sidecars.length} sidecars`;
  say(`Live: ${sidecars}, asked every second.${silent}`);
}

function row(edge) {
  const row = document.createElement("tr");
  for (const name of ["source", "destination", "service", "security", "flags"]) row.dataset[name] = edge[name];
  row.dataset.bytesPerSecond = edge.received_per_second + edge.sent_per_second;
  row.dataset.open = edge.open;
  const cells = [
    edge.source,
    edge.destination,
    edge.service,
    SECURITY[edge.security] ?? edge.security,
    edge.flags,
    bytes(edge.received_per_second),
    bytes(edge.sent_per_second),
    perSecond(edge.opened_per_second),
    String(edge.open),
  ];
  for (const [index, text] of cells.entries()) {
    const cell = document.createElement(index === 0 ? "th" : "td");
    if (index === 0) cell.scope = "row";
    if (index > 4) cell.className = "number";
    if (index === 3) cell.className = `security ${edge.security}`;
    if (index === 4) cell.className = kind(edge);
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}

function say(text) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
}

refresh();
