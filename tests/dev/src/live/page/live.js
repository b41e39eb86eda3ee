// Fetches and shows the mesh every second; the server asks Prometheus less often. Labels come from peers, so they are inserted as text, never as markup.

import { draw, kind } from "/draw.js";
import { age, bytes, percent, perSecond, plural } from "/units.js";

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
    say(`No answer from the server of this page: it has probably ended (${error.message}).`);
  }
  setTimeout(refresh, INTERVAL);
}

function show(mesh) {
  document.body.classList.toggle("stale", mesh.error !== null);
  draw(byId("graph"), mesh);
  byId("links").replaceChildren(...mesh.edges.map((edge) => row(edge, mesh)));
  const sum = (of) => mesh.edges.reduce((total, edge) => total + of(edge), 0);
  byId("traffic").textContent = bytes(sum((edge) => edge.received_per_second + edge.sent_per_second));
  byId("open").textContent = String(sum((edge) => edge.open));
  const secure = mesh.edges.filter((edge) => edge.security === "mutual_tls").length;
  byId("secure").textContent = `${secure} of ${mesh.edges.length}`;
  byId("exchanged").textContent = percent(mesh.exchange.exchanged);
  byId("exchange").textContent = exchange(mesh);
  const of = `${plural(mesh.sidecars.length, "sidecar")}, from ${mesh.prometheus}`;
  say(mesh.error === null ? `Live: ${of}, rates over ${mesh.window} s.` : `Not live: ${mesh.error}`);
}

/** The results of the exchange in words. */
function exchange({ exchange, window }) {
  const results = Object.entries(exchange.results).sort(([, a], [, b]) => b - a);
  if (results.length === 0) return "Peer exchange: no metrics of it. Istio's own exchange has none.";
  const rates = results.map(([result, rate]) => `${result} ${perSecond(rate)}`).join(", ");
  const lost = Math.round(exchange.unanswered);
  return `Peer exchange: ${rates}; ${plural(lost, "unanswered frame")} in ${window} s.`;
}

function row(edge, mesh) {
  const row = document.createElement("tr");
  for (const name of ["source", "destination", "service", "security", "flags"]) row.dataset[name] = edge[name];
  row.dataset.bytesPerSecond = edge.received_per_second + edge.sent_per_second;
  row.dataset.open = edge.open;
  row.dataset.since = edge.since ?? "";
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
    age(edge, mesh.now),
  ];
  for (const [index, text] of cells.entries()) {
    const cell = document.createElement(index === 0 ? "th" : "td");
    if (index === 0) cell.scope = "row";
    if (index > 4) cell.className = "number";
    if (index === 3) cell.className = `security ${edge.security}`;
    if (index === 4) cell.className = kind(edge);
    if (index === 9 && edge.since) cell.title = new Date(edge.since * 1000).toLocaleString();
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
