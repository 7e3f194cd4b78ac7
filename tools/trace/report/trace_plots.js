// The plots of one trace: its arena, and its groups as a graph.
'use strict';

// A buffer is a box: from the first to the last group that touches it, at its offset. Above, how much is in use.
function arenaPlot(memory, recordText) {
  const left = 80, right = kWidth - 20, top = 12, middle = 260, gap = 34, bottom = middle + gap + 70;
  const groups = memory.live_bytes.length;
  const x = g => left + (right - left) * g / groups;
  const y = offset => middle - (middle - top) * offset / memory.arena_bytes;
  const use = n => bottom - 66 * n / (memory.peak_bytes || 1);
  const boxes = memory.buffers.map(buffer => {
    const at = y(buffer.offset + buffer.bytes);
    const held = buffer.first_group <= memory.peak_group && memory.peak_group <= buffer.last_group;
    return svg('rect', {class: held ? 'buffer at-peak' : 'buffer', x: x(buffer.first_group), y: at,
      width: Math.max(1, x(buffer.last_group + 1) - x(buffer.first_group)), height: Math.max(0.8, y(buffer.offset) - at)},
      hint(`${bytes(buffer.bytes)} at ${count(buffer.offset)}, groups ${buffer.first_group} to ${buffer.last_group}\n` +
        `${recordText(buffer.record)}\n${buffer.site}`));
  });
  const line = memory.live_bytes.map((n, g) => `${x(g).toFixed(1)},${use(n).toFixed(1)} ${x(g + 1).toFixed(1)},${use(n).toFixed(1)}`);
  return svg('svg', {class: 'plot arena', viewBox: `0 0 ${kWidth} ${bottom + 20}`, role: 'img', 'aria-label': 'the arena of the plan'},
    svg('rect', {class: 'room', x: left, y: top, width: right - left, height: middle - top}),
    byteTicks(memory.arena_bytes, 4).map(n => [
      svg('line', {class: 'grid', x1: left, x2: right, y1: y(n), y2: y(n)}),
      svg('text', {class: 'tick', x: left - 8, y: y(n) + 4, 'text-anchor': 'end'}, bytes(n))]),
    boxes,
    svg('line', {class: 'peak', x1: (x(memory.peak_group) + x(memory.peak_group + 1)) / 2,
      x2: (x(memory.peak_group) + x(memory.peak_group + 1)) / 2, y1: top, y2: bottom},
      hint(`the peak: ${bytes(memory.peak_bytes)} in group ${memory.peak_group}`)),
    svg('text', {class: 'tick', x: left - 8, y: use(memory.peak_bytes) + 4, 'text-anchor': 'end'}, bytes(memory.peak_bytes)),
    svg('text', {class: 'tick', x: left - 8, y: bottom + 2, 'text-anchor': 'end'}, 'in use'),
    svg('polygon', {class: 'area in-use', points: `${x(0)},${bottom} ${line.join(' ')} ${x(groups)},${bottom}`}),
    ticks(groups, 10).filter(Number.isInteger).map(g => svg('text', {class: 'tick', x: x(g), y: bottom + 15, 'text-anchor': 'middle'}, count(g))),
    svg('text', {class: 'tick', x: right, y: middle + 18, 'text-anchor': 'end'}, 'group by group, in the order in which they run'));
}

// Groups in layers: each one step right of the furthest group that it reads from; within a layer near the groups that it reads from.
function layered(groups, records) {
  const makers = new Map();  // record: the first group that computes it
  groups.forEach((group, g) => group.records.forEach(r => { if (!makers.has(r.record)) makers.set(r.record, g); }));
  const nodes = groups.map(() => ({sources: new Set(), layer: 0, row: 0}));
  // Views are in no group: what they look at is.
  const sourcesOf = record => (makers.has(record) ? [makers.get(record)] : records[record].operands.flatMap(sourcesOf));
  groups.forEach((group, g) => {
    for (const {record} of group.records)
      for (const from of records[record].operands.flatMap(sourcesOf)) if (from < g) nodes[g].sources.add(from);
    for (const from of nodes[g].sources) nodes[g].layer = Math.max(nodes[g].layer, nodes[from].layer + 1);
  });
  // What reads nothing stands right before its first reader.
  const readers = nodes.map(() => Infinity);
  nodes.forEach(node => node.sources.forEach(from => { readers[from] = Math.min(readers[from], node.layer); }));
  nodes.forEach((node, g) => { if (!node.sources.size && readers[g] < Infinity) node.layer = readers[g] - 1; });
  const layers = [];
  nodes.forEach((node, g) => (layers[node.layer] = layers[node.layer] || []).push(g));
  for (const layer of layers) {
    const wish = g => {
      const rows = [...nodes[g].sources].map(from => nodes[from].row);
      return rows.length ? rows.reduce((a, b) => a + b) / rows.length : 0;
    };
    layer.sort((a, b) => wish(a) - wish(b) || a - b);
    layer.forEach((g, row) => { nodes[g].row = row; });
  }
  return {nodes, layers};
}

function opsOf(group, records) {
  const names = new Map();
  for (const {record} of group.records) names.set(records[record].op, (names.get(records[record].op) || 0) + 1);
  return [...names].map(([op, n]) => (n > 1 ? `${op} ×${n}` : op)).join(' ');
}

function graphPlot(groups, records) {
  const {nodes, layers} = layered(groups, records);
  const wide = 118, high = 38, across = 44, between = 12;
  const rows = Math.max(...layers.map(layer => layer.length));
  const width = layers.length * (wide + across) - across + 8, height = rows * (high + between) + 8;
  const x = g => 4 + nodes[g].layer * (wide + across);
  const y = g => 4 + nodes[g].row * (high + between) + (rows - layers[nodes[g].layer].length) * (high + between) / 2;
  const edges = nodes.flatMap((node, g) => [...node.sources].map(from => {
    const [x1, y1, x2, y2] = [x(from) + wide, y(from) + high / 2, x(g), y(g) + high / 2];
    const bend = Math.min(across, (x2 - x1) / 2);
    return svg('path', {class: 'edge', d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`});
  }));
  const boxes = groups.map((group, g) => {
    const ops = opsOf(group, records), shown = ops.length > 17 ? ops.slice(0, 16) + '…' : ops;
    return svg('g', {class: `node ${group.kind}`},
      hint(`group ${g}, ${group.kind}: ${ops}\n${group.records[0] ? group.records[0].site : ''}`),
      svg('rect', {x: x(g), y: y(g), width: wide, height: high, rx: 4}),
      svg('text', {class: 'name', x: x(g) + 7, y: y(g) + 15}, `${g} ${group.kind === 'loop' ? `loop of ${group.records.length}` : 'library'}`),
      svg('text', {class: 'ops', x: x(g) + 7, y: y(g) + 30}, shown));
  });
  return html('div', {class: 'scroll'}, svg('svg', {class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img',
    'aria-label': 'the groups of the plan as a graph'}, edges, boxes));
}
