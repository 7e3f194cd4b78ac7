// The plots of the whole run: what happened when, and whether compiling has paid.
'use strict';

const kWidth = 1000;

// Traces in the order of their cost have colours; those far down share one.
const kColours = 6;
function colourOf(trace) {
  const place = traceOrder.get(trace);
  return place !== undefined && place < kColours ? `c${place}` : 'c-other';
}

function timeAxis(seconds, left, right, top, bottom) {
  const x = us => left + (right - left) * us / (seconds * 1e6);
  const lines = ticks(seconds, 8).map(s => [
    svg('line', {class: 'grid', x1: x(s * 1e6), x2: x(s * 1e6), y1: top, y2: bottom}),
    svg('text', {class: 'tick', x: x(s * 1e6), y: bottom + 14, 'text-anchor': 'middle'}, s === 0 ? '0' : time(s * 1e6)),
  ]);
  return {x, lines};
}

// Marks that would lie on the same pixel are one mark; data-n says of how many events.
function merged(events, x) {
  const places = new Map();
  for (const event of events) {
    const from = x(event.ts), to = x(event.ts + (event.dur || 0));
    const key = `${Math.round(from)} ${Math.round(to)} ${event.args.trace || event.name}`;
    const known = places.get(key);
    if (known) ++known.n;
    else places.set(key, {event, from, to, n: 1});
  }
  return [...places.values()];
}

function words(event) {
  const args = event.args;
  return [args.what, args.why, args.site && `at ${args.site}`].filter(Boolean).join('\n');
}

// One lane for each kind of event, one mark for each event.
function timePlot(events, rest, seconds) {
  const left = 130, right = kWidth - 20;
  const lanes = [
    {title: 'ran compiled', category: 'hit', height: 30},
    {title: 'compile thread', category: 'compile', height: 22},
    {title: 'decisions', category: 'decision', height: 22},
    {title: 'misses, exits', category: 'trouble', height: 22},
  ];
  let y = 8;
  for (const lane of lanes) {
    lane.y = y;
    y += lane.height + 10;
  }
  const {x, lines} = timeAxis(seconds, left, right, 4, y);
  const marks = lanes.map(lane => [
    svg('text', {class: 'lane', x: left - 10, y: lane.y + lane.height / 2 + 4, 'text-anchor': 'end'}, lane.title),
    svg('line', {class: 'base', x1: left, x2: right, y1: lane.y + lane.height, y2: lane.y + lane.height}),
    ...merged(events.filter(event => event.cat === lane.category), x).map(({event, from, to, n}) => {
      const several = n > 1 ? `${count(n)} times, the first: ` : '';
      const what = lane.category === 'hit'
        ? `${event.args.trace} ran compiled, ${plural(event.args.windows, 'window')} in ${time(event.dur)}`
        : `${event.args.id} ${event.name}\n${words(event)}`;
      const style = lane.category === 'hit' ? colourOf(event.args.trace) : lane.category;
      return svg('rect', {class: `mark ${style}`, 'data-n': n, x: from, y: lane.y, width: Math.max(2, to - from),
        height: lane.height, rx: 1.5}, hint(several + what));
    }),
  ]);
  const others = rest.map(r => svg('rect', {class: `rest ${colourOf(r.trace)}`, x: x(r.from), y: lanes[0].y, height: lanes[0].height,
    width: Math.max(2, x(r.until) - x(r.from))}, hint(`${r.trace} ran compiled, ${plural(r.windows, 'window')} that no event tells of`)));
  return svg('svg', {class: 'plot', id: 'time-plot', viewBox: `0 0 ${kWidth} ${y + 20}`, role: 'img',
    'aria-label': 'what happened when'}, lines, others, marks);
}

// Hits that no event tells of: the last ones of a trace wait for more of their kind to be logged with, and the ring keeps the latest.
function unlogged(events, plans, seconds, overflown) {
  const rest = [];
  for (const plan of plans) {
    const hits = events.filter(event => event.cat === 'hit' && event.args.trace === plan.trace);
    const windows = plan.hits - hits.reduce((sum, event) => sum + event.args.windows, 0);
    if (windows <= 0) continue;
    const made = events.find(event => event.cat === 'compile' && event.name.endsWith(` ${plan.trace}`));
    const last = Math.max(made ? made.ts + made.dur : 0, ...hits.map(event => event.ts + event.dur));
    rest.push({trace: plan.trace, windows, from: overflown ? 0 : last, until: overflown ? (hits[0] || {ts: 0}).ts : seconds * 1e6});
  }
  return rest;
}

// What compiling has cost and gained up to each moment, in ms.
function balance(events, plans, rest, seconds) {
  const gains = new Map(plans.map(plan => [plan.trace, Math.max(0, plan.gain_us) / 1e3]));
  const gain = (trace, windows) => windows * (gains.get(trace) || 0);
  const steps = rest.map(r => ({at: r.from, until: r.until, ms: gain(r.trace, r.windows)}));
  for (const event of events) {
    const end = event.ts + (event.dur || 0);
    if (event.cat === 'compile') steps.push({at: end, until: end, ms: -event.dur / 1e3});
    if (event.cat === 'hit') steps.push({at: event.ts, until: end, ms: gain(event.args.trace, event.args.windows)});
  }
  // Compilations that the ring no longer has come before those that it has.
  const end = plans.reduce((sum, plan) => sum + gain(plan.trace, plan.hits) - plan.cost_ms, 0);
  const start = Math.min(0, end - steps.reduce((sum, step) => sum + step.ms, 0));
  // Every step is a ramp (or a jump), and ramps may overlap: the slope changes at both ends.
  const changes = [];
  for (const {at, until, ms} of steps)
    if (until - at < 1) changes.push({at, jump: ms, slope: 0});
    else changes.push({at, jump: 0, slope: ms / (until - at)}, {at: until, jump: 0, slope: -ms / (until - at)});
  changes.sort((a, b) => a.at - b.at);
  const points = [[0, start]];
  let slope = 0, here = 0, value = start;
  for (const change of changes) {
    value += slope * (change.at - here);
    here = change.at;
    points.push([here, value]);
    if (change.jump) points.push([here, value += change.jump]);
    slope += change.slope;
  }
  points.push([seconds * 1e6, value]);
  return points;
}

function balancePlot(events, plans, rest, seconds) {
  const left = 130, right = kWidth - 20, top = 14, bottom = 150;
  const points = balance(events, plans, rest, seconds);
  const values = points.map(point => point[1]);
  const low = Math.min(0, ...values), high = Math.max(0, ...values), span = high - low || 1;
  const y = ms => bottom - (bottom - top) * (ms - low) / span;
  const {x, lines} = timeAxis(seconds, left, right, top, bottom);
  const line = points.map(([us, ms]) => `${x(us).toFixed(1)},${y(ms).toFixed(1)}`).join(' ');
  const last = values[values.length - 1];
  const label = (ms, style) => svg('text', {class: `tick ${style || ''}`, x: left - 10, y: y(ms) + 4, 'text-anchor': 'end'},
    ms === 0 ? '0' : time(ms * 1e3));
  return svg('svg', {class: 'plot', id: 'balance-plot', viewBox: `0 0 ${kWidth} ${bottom + 22}`, role: 'img',
    'aria-label': 'gain less cost over time'}, lines,
    svg('line', {class: 'zero', x1: left, x2: right, y1: y(0), y2: y(0)}),
    svg('polygon', {class: last >= 0 ? 'area good' : 'area bad', points: `${x(0)},${y(0)} ${line} ${x(seconds * 1e6)},${y(0)}`}),
    svg('polyline', {class: last >= 0 ? 'line good' : 'line bad', points: line}, hint(`in the end ${time(last * 1e3)}`)),
    label(0), Math.abs(y(low) - y(0)) > 14 ? label(low) : null, Math.abs(y(high) - y(0)) > 14 ? label(high) : null);
}

// Cost against gain over the hits of one plan: it has paid where the lines have crossed.
function breakEvenPlot(plan) {
  const width = 300, height = 130, left = 12, right = width - 12, top = 12, bottom = height - 24;
  const known = plan.gain_us > 0;
  const hits = Math.max(plan.hits, known ? plan.break_even_hits * 1.15 : 0, 1);
  const most = Math.max(plan.cost_ms, known ? hits * plan.gain_us / 1e3 : 0) * 1.1;
  const x = n => left + (right - left) * n / hits;
  const y = ms => bottom - (bottom - top) * ms / most;
  const gained = known ? plan.hits * plan.gain_us / 1e3 : 0;
  const paid = known && plan.hits >= plan.break_even_hits;
  return svg('svg', {class: 'plot small break-even', 'data-plan': plan.plan, viewBox: `0 0 ${width} ${height}`, role: 'img',
    'aria-label': `cost against gain of ${plan.plan}`},
    svg('line', {class: 'base', x1: left, x2: right, y1: bottom, y2: bottom}),
    svg('line', {class: 'line bad', x1: left, x2: right, y1: y(plan.cost_ms), y2: y(plan.cost_ms)},
      hint(`cost: ${time(plan.cost_ms * 1e3)}`)),
    svg('text', {class: 'tick', x: left + 2, y: y(plan.cost_ms) - 4}, `cost ${time(plan.cost_ms * 1e3)}`),
    known ? svg('line', {class: 'line good ahead', x1: x(0), y1: y(0), x2: x(hits), y2: y(hits * plan.gain_us / 1e3)}) : null,
    svg('line', {class: 'line good', x1: x(0), y1: y(0), x2: x(plan.hits), y2: y(gained)}, hint(`gain: ${time(gained * 1e3)}`)),
    known ? svg('circle', {class: 'ring', cx: x(plan.break_even_hits), cy: y(plan.cost_ms), r: 4},
      hint(`pays after ${plural(plan.break_even_hits, 'hit')}`)) : null,
    svg('circle', {class: paid ? 'dot good' : 'dot bad', cx: x(plan.hits), cy: y(gained), r: 4},
      hint(`${plural(plan.hits, 'hit')} so far, gain ${time(gained * 1e3)}`)),
    svg('text', {class: 'tick', x: left, y: bottom + 15}, '0'),
    svg('text', {class: 'tick', x: right, y: bottom + 15, 'text-anchor': 'end'}, `${count(Math.round(hits))} hits`));
}
