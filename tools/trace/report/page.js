// The page: what the commands of `swage trace` answer, one below the other, and the search over it.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const top_ = data.top, plans = data.break_even.plans;
const happened = data.timeline.filter(event => event.ph !== 'M');
// Traces by cost: those that cost most have colours.
const traceOrder = new Map(top_.traces.map((trace, place) => [trace.id, place]));
const sections = [];

function panel(id, title, note, ...content) {
  return html('section', {id}, html('h2', {}, title, note ? html('span', {class: 'note'}, note) : null), content);
}

function header() {
  const facts = [`process ${top_.pid}`, top_.state, new Date(data.run.started_ms).toISOString().slice(0, 19).replace('T', ' ') + ' UTC',
    time(top_.seconds * 1e6), `log format ${data.run.log_format}`,
    `read by Swage ${data.run.version} on ${data.run.reader_cpu}`];
  document.title = `Swage report: ${top_.command || top_.pid}`;
  return [
    html('div', {class: 'what'}, html('h1', {title: top_.command}, top_.command.replace(/^\S*\//, '') || `process ${top_.pid}`),
      html('p', {class: 'muted'}, facts.filter(Boolean).join(' · '))),
    html('div', {class: 'search'},
      html('input', {id: 'search', type: 'search', placeholder: 'Search ops, lines, traces, events', 'aria-label': 'search'}),
      html('p', {id: 'found', class: 'muted', role: 'status'})),
  ];
}

function figures() {
  const saved = plans.reduce((sum, plan) => sum + plan.hits * Math.max(0, plan.gain_us) * 1e-3, 0);
  const cost = plans.reduce((sum, plan) => sum + plan.cost_ms, 0);
  const others = top_.windows - top_.hits - top_.misses - top_.side_exits;
  const figure = (value, name, note, style) => html('div', {class: 'figure'}, html('b', {class: style}, value), html('span', {}, name),
    html('small', {class: 'muted'}, note));
  const tiers = [['compiled', top_.hits, 'good'], ['op by op', Math.max(0, others) + top_.misses, 'plain'],
    ['deferred, then op by op', top_.side_exits, 'bad']];
  const windows = Math.max(1, tiers.reduce((sum, tier) => sum + tier[1], 0));
  return html('section', {id: 'figures'},
    html('div', {class: 'figures'},
      figure(top_.ops ? percent(top_.compiled_ops / top_.ops) : '–', 'of ops ran compiled', `${count(top_.compiled_ops)} of ${count(top_.ops)}`),
      figure(count(top_.hits), 'hits', `of ${plural(top_.windows, 'window')}`),
      figure(count(top_.misses), 'misses', `${plural(top_.side_exits, 'side exit')}`),
      figure(time(top_.compile_ms * 1e3), 'compiling', `${plural(top_.compiles, 'compilation')}, beside the program`),
      figure(saved ? time(saved * 1e3) : '–', 'gained so far', 'as far as measured', saved ? 'good' : null),
      figure(plans.length ? time((saved - cost) * 1e3) : '–', 'gain less cost', plural(plans.length, 'plan'),
        plans.length ? (saved >= cost ? 'good' : 'bad') : null)),
    top_.windows ? html('div', {class: 'tiers', title: 'windows by how they ran'}, tiers.filter(tier => tier[1] > 0).map(([name, n, style]) =>
      html('span', {class: style, style: `flex-grow:${n}`, title: `${name}: ${plural(n, 'window')}`},
        n / windows > 0.08 ? `${name} ${percent(n / windows)}` : ''))) : null);
}

function remarks() {
  const said = [...data.run.damage.map(text => ['bad', text]), ...data.run.remarks.map(text => ['muted', text])];
  if (data.run.lost_blobs) said.push(['bad', `${plural(data.run.lost_blobs, 'piece')} did not fit into the log`]);
  return said.length ? html('section', {id: 'remarks'}, said.map(([style, text]) => html('p', {class: style}, text))) : null;
}

function advice() {
  if (!data.advice) return null;
  const items = data.advice.advice || [];
  if (!items.length) return panel('advice', 'Advice', null, html('p', {class: 'muted'}, 'Nothing to change was found.'));
  return panel('advice', 'Advice', 'by expected gain', html('ol', {}, items.map(item => searchable(
    html('li', {}, html('b', {}, item.what), item.site ? html('code', {class: 'line'}, item.site) : null,
      html('p', {}, item.cure), html('p', {class: 'muted'}, item.evidence)),
    'advice', item.what, item.site, item.cure, item.evidence))));
}

function overTime() {
  if (!happened.length) return null;
  const seconds = Math.max(top_.seconds, ...happened.map(event => (event.ts + (event.dur || 0)) / 1e6)) || 1e-3;
  const kept = data.run.decisions > happened.filter(event => event.cat !== 'hit').length ? `the latest of ${plural(data.run.decisions, 'decision')}` : null;
  const hits = happened.filter(event => event.cat === 'hit').length;
  const rest = unlogged(happened, plans, seconds, data.run.hit_events > hits);
  return panel('time', 'Over time', kept, timePlot(happened, rest, seconds),
    plans.length ? [html('h3', {}, 'Gain less cost so far'), balancePlot(happened, plans, rest, seconds)] : null);
}

function traces() {
  const most = Math.max(...top_.traces.map(trace => trace.spent_us), 1e-9);
  const shown = new Set(data.traces.map(detail => detail.show.id));
  const columns = [
    {title: 'trace', value: t => Number(t.id.slice(1)), style: 'id',
      cell: t => [html('span', {class: `swatch ${colourOf(t.id)}`}), shown.has(t.id) ? html('a', {href: `#${t.id}`}, t.id) : t.id]},
    {title: 'time', hint: 'that its runs took, as far as measured', numeric: true, value: t => t.spent_us,
      cell: t => html('span', {class: 'bar', style: `--share:${(100 * t.spent_us / most).toFixed(1)}%`}, t.spent_us > 0 ? time(t.spent_us) : '–')},
    {title: 'ops', numeric: true, value: t => t.ops, cell: t => count(t.ops)},
    {title: 'runs', numeric: true, value: t => t.runs, cell: t => count(t.runs)},
    {title: 'hits', hint: 'runs as a plan', numeric: true, value: t => t.hits, cell: t => count(t.hits)},
    {title: 'misses', hint: 'windows that came nearest to it, as far back as the log goes', numeric: true, value: t => t.misses, cell: t => count(t.misses)},
    {title: 'exits', hint: 'deferred, then run op by op', numeric: true, value: t => t.side_exits, cell: t => count(t.side_exits)},
    {title: 'op by op', numeric: true, value: t => t.eager_us, cell: t => (t.eager_us > 0 ? time(t.eager_us) : '–')},
    {title: 'compiled', numeric: true, value: t => t.plan_us, cell: t => (t.plan_us > 0 ? time(t.plan_us) : '–')},
    {title: 'gain', numeric: true, value: t => t.speed_up,
      cell: t => (t.speed_up > 0 ? html('span', {class: t.speed_up >= 1 ? 'good' : 'bad'}, three(t.speed_up) + '×') : '–')},
    {title: 'memory', hint: 'the arena of its plan', numeric: true, value: t => t.arena_bytes, cell: t => (t.plan ? bytes(t.arena_bytes) : '–')},
    {title: 'state', value: t => t.state, style: 'muted', cell: t => t.state},
  ];
  const table = sortableTable('top', columns, top_.traces, (trace, cells) => html('tr', {'data-trace': trace.id}, cells));
  return panel('traces', 'Traces', 'which cost most', table);
}

function breakEven() {
  if (!plans.length) return null;
  const drawn = plans.filter(plan => plan.gain_us !== 0 || plan.hits > 1).slice(0, 12);
  const columns = [
    {title: 'plan', value: p => Number(p.plan.slice(1)), cell: p => p.plan},
    {title: 'trace', value: p => Number(p.trace.slice(1)), style: 'id', cell: p => p.trace},
    {title: 'cost', numeric: true, value: p => p.cost_ms, cell: p => time(p.cost_ms * 1e3)},
    {title: 'gain a run', numeric: true, value: p => p.gain_us, cell: p => (p.gain_us ? time(p.gain_us) : '–')},
    {title: 'hits', numeric: true, value: p => p.hits, cell: p => count(p.hits)},
    {title: 'pays after', numeric: true, value: p => p.break_even_hits === null ? Infinity : p.break_even_hits,
      cell: p => (p.break_even_hits === null ? '–' : plural(p.break_even_hits, 'hit'))},
    {title: 'so far', value: p => p.verdict, cell: p => html('span', {class: p.verdict.startsWith('has paid') ? 'good' : p.verdict.startsWith('not known') ? 'muted' : 'bad'}, p.verdict)},
  ];
  return panel('break-even', 'Does it pay?', 'what each plan cost against what its runs gained', html('div', {class: 'multiples'},
    drawn.map(plan => html('figure', {}, html('figcaption', {}, html('b', {}, `${plan.plan} of ${plan.trace} `),
      html('span', {class: 'muted'}, plan.verdict)), breakEvenPlot(plan)))),
    sortableTable('plans', columns, plans, (plan, cells) => searchable(html('tr', {}, cells), 'plan', plan.plan, plan.trace, plan.verdict)));
}

function lost() {
  const costs = new Map(data.lost.lost.map(loss => [loss.id, loss.lost_us]));
  const rows = data.why.causes.map(cause => ({...cause, lost_us: costs.get(cause.id) || 0})).sort((a, b) => b.lost_us - a.lost_us || b.count - a.count);
  if (!rows.length) return panel('lost', 'Lost', null, html('p', {class: 'muted'}, 'No window missed or left its path, and nothing was refused.'));
  const columns = [
    {title: '', value: r => Number(r.id.slice(1)), style: 'muted', cell: r => r.id},
    {title: 'lost', hint: 'as far as measured', numeric: true, value: r => r.lost_us, cell: r => (r.lost_us ? time(r.lost_us) : '–')},
    {title: 'times', numeric: true, value: r => r.count, cell: r => count(r.count)},
    {title: 'event', value: r => r.event, cell: r => r.event.replace('_', ' ')},
    {title: 'in words', value: r => r.what, style: 'words', cell: r => [r.what, r.why ? html('div', {class: 'muted'}, r.why) : null]},
    {title: 'line', value: r => r.site, style: 'line', cell: r => r.site},
  ];
  return panel('lost', 'Lost', 'misses, exits, refusals: by the time that they cost',
    sortableTable('causes', columns, rows, (row, cells) => searchable(html('tr', {}, cells), 'cause', row.id, row.event, row.what, row.why, row.site)));
}

function details() {
  if (!data.traces.length) return null;
  const rows = new Map(top_.traces.map(trace => [trace.id, trace]));
  for (const detail of data.traces) sections.push(new TraceSection(detail, rows.get(detail.show.id)));
  const left = top_.traces.length - data.traces.length;
  return panel('details', 'Trace by trace', left ? `the ${data.traces.length} that cost most; swage trace show ID has the others` : null,
    sections.map(section => section.node));
}

// Every decision that the log still has, in the order of time.
let log = null;
function decisions() {
  const events = happened.filter(event => event.cat !== 'hit');
  if (!events.length) return null;
  const texts = new Map(events.map(event => [event, [event.args.id, event.name, words(event)].join('\n').toLowerCase()]));
  log = {...cappedTable(['', 'at', 'event', 'in words', 'line'], events, event => html('tr', {},
    html('td', {class: 'muted'}, event.args.id), html('td', {class: 'number'}, time(event.ts)), html('td', {}, event.name.replace('_', ' ').replace(/ t0$/, '')),
    html('td', {class: 'words'}, event.args.what, event.args.why ? html('div', {class: 'muted'}, event.args.why) : null),
    html('td', {class: 'line'}, event.args.site)), 25), events, texts};
  return panel('log', 'Log', plural(data.run.decisions, 'decision'), log.node);
}

function search(query) {
  const terms = query.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = terms.length ? text => terms.every(term => text.includes(term)) : null;
  const found = {};
  for (const {node, kind, text} of searchables) {
    node.hidden = matches !== null && !matches(text);
    if (!node.hidden) found[kind] = (found[kind] || 0) + 1;
  }
  let ops = 0, inTraces = 0;
  const visible = new Set();
  for (const section of sections) {
    ops += section.filter(matches);
    if (section.node.hidden) continue;
    found.trace = ++inTraces;
    visible.add(section.id);
  }
  for (const trace of top_.traces) {
    const row = document.querySelector(`#top tr[data-trace="${trace.id}"]`);
    row.hidden = matches !== null && !visible.has(trace.id) && !matches(`${trace.id}\n${trace.state}`.toLowerCase());
  }
  if (log) {
    const chosen = matches && (event => matches(log.texts.get(event)));
    log.filter(chosen);
    if (matches) found.event = log.events.filter(chosen).length;
  }
  // What has nothing to do with the search is out of the way: plots, and parts where nothing was found.
  document.body.classList.toggle('searching', matches !== null);
  const hide = (id, kind) => { const part = document.getElementById(id); if (part) part.hidden = matches !== null && !found[kind]; };
  hide('advice', 'advice');
  hide('break-even', 'plan');
  hide('lost', 'cause');
  hide('log', 'event');
  hide('details', 'trace');
  const first = sections.find(section => !section.node.hidden);
  if (matches && first) first.open();
  document.getElementById('found').textContent = matches
    ? [`${plural(ops, 'op')} in ${plural(inTraces, 'trace')}`, ...['advice', 'plan', 'cause', 'event'].filter(kind => found[kind])
      .map(kind => plural(found[kind], kind, kind === 'advice' ? kind : null))].join(', ')
    : '';
}

// #q=matmul searches, #t4 opens a trace: both can be linked to.
function follow() {
  let hash = location.hash.slice(1);
  try {
    hash = decodeURIComponent(hash);
  } catch (error) {  // a stray % stands for itself
  }
  const box = document.getElementById('search');
  if (hash.startsWith('q=')) {
    box.value = hash.slice(2);
    search(box.value);
    return;
  }
  const section = sections.find(s => s.id === hash);
  if (!section) return;
  section.open();
  section.node.scrollIntoView();
}

function start() {
  document.getElementById('header').append(...header());
  const empty = !top_.traces.length && !happened.length
    ? panel('empty', 'Nothing to report', null, html('p', {class: 'muted'}, 'This run has kept no trace, and decided nothing: it ran op by op, or ended before anything recurred.')) : null;
  const parts = [figures(), remarks(), empty];
  if (!empty) parts.push(advice(), overTime(), top_.traces.length ? traces() : null, breakEven(), lost(), details(), decisions());
  document.getElementById('main').replaceChildren(...parts.filter(Boolean));
  if (sections.length) sections[0].open();
  const box = document.getElementById('search');
  let waiting = 0;
  box.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      history.replaceState(null, '', box.value ? `#q=${encodeURIComponent(box.value)}` : '#');
      search(box.value);
    }, 120);
  });
  addEventListener('hashchange', follow);
  follow();
}

start();
