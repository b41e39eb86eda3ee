// The layout: callers left, called right, in layers. A few sweeps reduce the crossings.

export const NODE = { width: 196, height: 64 };
const GAP = { x: 148, y: 46 };
const BEND = { height: 30 };
const SWEEPS = 12;

/**
 * Nodes with the x and y of their middle, links with their points, and the size of the layout.
 * @param {string[]} names
 * @param {{source: string, destination: string}[]} edges
 */
export function layout(names, edges) {
  const nodes = new Map(names.map((name) => [name, { name, height: NODE.height, after: [], before: [] }]));
  const forward = withoutCycles(names, edges);
  const depth = depths(names, forward);
  const layers = [];
  const put = (node, layer) => ((layers[layer] ??= []).push(node), (node.layer = layer));
  for (const node of nodes.values()) put(node, depth.get(node.name));

  // A link over several layers has a place in each of them, and so bends around other nodes.
  const paths = forward.map(({ from, to }) => {
    const path = [nodes.get(from)];
    for (let layer = depth.get(from) + 1; layer < depth.get(to); layer += 1) {
      const bend = { height: BEND.height, after: [], before: [] };
      put(bend, layer);
      path.push(bend);
    }
    path.push(nodes.get(to));
    for (let index = 1; index < path.length; index += 1) {
      path[index - 1].after.push(path[index]);
      path[index].before.push(path[index - 1]);
    }
    return path;
  });

  order(layers);
  place(layers);
  const height = frame(layers);
  const links = edges.map((edge, index) => ({ edge, points: points(paths[index], forward[index].reversed) }));
  spread(links, nodes);
  const width = layers.length * (NODE.width + GAP.x) - GAP.x;
  return { nodes: [...nodes.values()], links, width: Math.max(width, NODE.width), height };
}

/** Every edge as from → to, reversed if it would close a cycle. */
function withoutCycles(names, edges) {
  const targets = new Map(names.map((name) => [name, []]));
  for (const { source, destination } of edges) targets.get(source).push(destination);
  const state = new Map();
  const back = new Set();
  const visit = (name) => {
    state.set(name, "open");
    for (const next of targets.get(name)) {
      if (state.get(next) === "open") back.add(JSON.stringify([name, next]));
      else if (!state.has(next)) visit(next);
    }
    state.set(name, "done");
  };
  const called = new Set(edges.map((edge) => edge.destination));
  const callersFirst = [...names].sort((a, b) => called.has(a) - called.has(b));
  for (const name of callersFirst) if (!state.has(name)) visit(name);
  return edges.map(({ source, destination }) => {
    const reversed = back.has(JSON.stringify([source, destination]));
    return reversed ? { from: destination, to: source, reversed } : { from: source, to: destination, reversed };
  });
}

/** The length of the longest path to each node. */
function depths(names, forward) {
  const depth = new Map(names.map((name) => [name, 0]));
  for (let round = 0; round < names.length; round += 1) {
    for (const { from, to } of forward) {
      if (from !== to) depth.set(to, Math.max(depth.get(to), depth.get(from) + 1));
    }
  }
  return depth;
}

/** Sorts each layer by the places of neighbours, several times. */
function order(layers) {
  const number = () => layers.forEach((layer) => layer.forEach((node, index) => (node.rank = index)));
  number();
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      for (const node of layer) node.pull = mean((down ? node.before : node.after).map((other) => other.rank), node.rank);
      layer.sort((a, b) => a.pull - b.pull || a.rank - b.rank);
      number();
    }
  }
}

/** Moves each node to the height of its neighbours, as far as the layer has room. */
function place(layers) {
  for (const layer of layers) layer.forEach((node, index) => (node.y = index * (NODE.height + GAP.y)));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const sides = (node) => (down ? [node.before, node.after] : [node.after, node.before]);
      for (const node of layer) {
        const near = sides(node).find((side) => side.length > 0) ?? [];
        node.pull = mean(near.map((other) => other.y), node.y);
      }
      settle(layer);
    }
  }
}

/** The places nearest to the target of each node, in order and with gaps. Nodes that would overlap form a block. */
function settle(layer) {
  const blocks = [];
  let offset = 0;
  layer.forEach((node, index) => {
    if (index > 0) offset += (layer[index - 1].height + node.height) / 2 + GAP.y;
    node.offset = offset;
    blocks.push({ sum: node.pull - offset, count: 1 });
    while (blocks.length > 1 && average(blocks.at(-2)) > average(blocks.at(-1))) {
      const last = blocks.pop();
      blocks.at(-1).sum += last.sum;
      blocks.at(-1).count += last.count;
    }
  });
  const starts = blocks.flatMap((block) => Array(block.count).fill(average(block)));
  layer.forEach((node, index) => (node.y = node.offset + starts[index]));
}

/** Moves the layout to the origin and returns its height. */
function frame(layers) {
  const all = layers.flat();
  const top = Math.min(...all.map((node) => node.y - node.height / 2), 0);
  const first = all.length > 0 ? Math.min(...all.map((node) => node.y - node.height / 2)) : top;
  for (const node of all) {
    node.y -= first;
    node.x = node.layer * (NODE.width + GAP.x) + NODE.width / 2;
  }
  return Math.max(...all.map((node) => node.y + node.height / 2), NODE.height);
}

function points(path, reversed) {
  const points = path.map(({ x, y }, index) => {
    const side = index === 0 ? 1 : index === path.length - 1 ? -1 : 0;
    return { x: x + (side * NODE.width) / 2, y };
  });
  return reversed ? points.reverse() : points;
}

/** Links at the same side of a node have different heights there, in the order of their other ends. */
function spread(links, nodes) {
  const ports = new Map();
  const add = (name, x, end, next) => {
    const key = JSON.stringify([name, x]);
    if (!ports.has(key)) ports.set(key, []);
    ports.get(key).push({ end, next });
  };
  for (const { edge, points } of links) {
    add(edge.source, points[0].x, points[0], points[1]);
    add(edge.destination, points.at(-1).x, points.at(-1), points.at(-2));
  }
  for (const side of ports.values()) {
    side.sort((a, b) => a.next.y - b.next.y);
    const step = Math.min(14, (NODE.height - 20) / side.length);
    side.forEach(({ end }, index) => (end.y += (index - (side.length - 1) / 2) * step));
  }
}

const average = (block) => block.sum / block.count;

function mean(values, otherwise) {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : otherwise;
}
