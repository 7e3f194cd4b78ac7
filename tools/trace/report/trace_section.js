// One trace: everything that is known of it. What is inside is made when it is opened first.
'use strict';

const kMostRows = 300, kMostOps = 40, kMostGroupsDrawn = 160;

// A part of a trace that is made when somebody looks at it.
function fold(title, note, make, open, style) {
  const node = html('details', {class: `fold ${style || ''}`}, html('summary', {}, title, note ? html('span', {class: 'note'}, note) : null));
  let made = false;
  const build = () => {
    if (made) return;
    made = true;
    node.append(make());
  };
  node.addEventListener('toggle', () => { if (node.open) build(); });
  if (open) {
    build();
    node.open = true;
  }
  return node;
}

class TraceSection {
  constructor(detail, row) {
    this.detail = detail;
    this.row = row;
    this.id = detail.show.id;
    this.texts = detail.show.records.map(r => `${r.text}\n${r.site}`.toLowerCase());
    this.header = [this.id, row.state, detail.show.callers.map(c => c.site).join('\n')].join('\n').toLowerCase();
    this.found = html('span', {class: 'found', hidden: true});
    this.node = html('details', {class: 'trace', id: this.id},
      html('summary', {},
        html('span', {class: `swatch ${colourOf(this.id)}`}), html('span', {class: 'id'}, this.id),
        html('span', {}, plural(row.ops, 'op')), html('span', {}, `${count(row.hits)} of ${plural(row.runs, 'run')} compiled`),
        row.speed_up > 0 ? html('span', {class: row.speed_up >= 1 ? 'good' : 'bad'}, three(row.speed_up) + '×') : null,
        html('span', {class: 'note'}, row.state), this.found));
    this.node.addEventListener('toggle', () => { if (this.node.open) this.build(); });
  }

  open() {
    this.build();
    this.node.open = true;
  }

  build() {
    if (this.ops) return;
    const {show, fusion, memory, code, trouble} = this.detail;
    this.groups = new Map();  // record: the groups that compute it
    if (fusion)
      fusion.groups.forEach((group, g) => group.records.forEach(({record}) =>
        this.groups.set(record, [...(this.groups.get(record) || []), g])));
    this.escapes = new Set(show.escapes);
    this.ops = cappedTable(['', 'op', 'group', 'line'], show.records.filter(r => r.op !== 'cut'), r => this.opRow(r), kMostOps);
    const inputs = show.records.filter(r => r.op === 'input').length;
    const slots = show.records.reduce((n, r) => n + r.text.split('slot ').length - 1, 0);
    const parts = [
      this.facts(),
      trouble ? html('p', {class: 'bad'}, trouble) : null,
      fusion && !this.row.plan ? html('p', {class: 'muted'}, 'It has no plan; memory, graph and fusion are what the compiler would make of it.') : null,
      memory && memory.buffers.length
        ? fold('Memory', `an arena of ${bytes(memory.arena_bytes)}, ${plural(memory.buffers.length, 'buffer')}; ` +
          `at most ${bytes(memory.peak_bytes)} in use, in group ${memory.peak_group}`,
          () => html('div', {}, arenaPlot(memory, r => show.records[r].text),
            html('p', {class: 'legend'}, html('span', {class: 'key at-peak'}), 'in use at the peak')), memory.buffers.length < 4000)
        : null,
      fusion && fusion.groups.length
        ? fold('Graph', 'groups, and what they read from each other', () => (fusion.groups.length <= kMostGroupsDrawn
          ? graphPlot(fusion.groups, show.records)
          : html('p', {class: 'muted'}, `${count(fusion.groups.length)} groups are too many to draw here: `,
            html('code', {}, `swage trace graph ${this.id} --svg`))),
          fusion.groups.length <= kMostGroupsDrawn)
        : null,
      fold('Ops', `${plural(show.ops, 'op')}, ${plural(inputs, 'input')}, ${plural(slots, 'scalar slot')}, ` +
        `${plural(show.escapes.length, 'value escapes', 'values escape')}`, () => this.ops.node, true, 'ops'),
      fusion ? fold('Fusion', `${plural(fusion.groups.length, 'group')}; saves ${bytes(fusion.saved_bytes)} of reading and writing a run`,
        () => this.fusionTable(fusion)) : null,
      code && code.length ? fold('Code', code.map(c => c.stage).join(', '), () => this.stages(code)) : null,
      show.events.length ? fold('Events', plural(show.events.length, 'event'), () => this.eventTable(show.events)) : null,
    ];
    this.node.append(html('div', {class: 'inside'}, parts.filter(Boolean)));
    if (this.matches) this.ops.filter(this.matches);
  }

  facts() {
    const {show} = this.detail, row = this.row;
    const facts = [
      ['op by op', row.eager_us > 0 ? time(row.eager_us) : 'not timed'],
      ['compiled', row.plan_us > 0 ? time(row.plan_us) : 'not timed'],
      ['made in', row.plan ? time(row.compile_ms * 1e3) : 'no plan'],
      ['side exits', count(row.side_exits)],
    ];
    const callers = show.callers.slice(0, 12).map(c => html('span', {class: 'caller'}, html('code', {}, c.site), ` ${plural(c.ops, 'op')}`)).flatMap(c => [c, ' ']);
    return html('div', {}, html('dl', {}, facts.map(([name, value]) => [html('dt', {}, name), html('dd', {}, value)])),
      callers.length ? html('p', {class: 'callers'}, html('span', {class: 'muted'}, 'issued by '), callers) : null);
  }

  opRow(record) {
    const text = record.text.replace(/^%\d+ = /, '');
    const chips = (this.groups.get(record.record) || []).map(g =>
      html('span', {class: `chip ${this.detail.fusion.groups[g].kind}`, title: this.detail.fusion.groups[g].kind}, g));
    const escapes = this.escapes.has(record.record) ? html('span', {class: 'chip escapes', title: 'outlives the window'}, 'escapes') : null;
    return html('tr', {class: record.op === 'input' ? 'op input' : 'op'}, html('td', {class: 'number muted'}, `%${record.record}`),
      html('td', {}, html('code', {}, text), escapes), html('td', {}, chips), html('td', {class: 'line'}, record.site));
  }

  fusionTable(fusion) {
    const rows = fusion.groups.map((group, g) => ({...group, g}));
    const table = cappedTable(['', 'what', 'ops', 'saves', 'line'], rows, group => html('tr', {},
      html('td', {class: 'number'}, html('span', {class: `chip ${group.kind}`}, group.g)),
      html('td', {}, group.kind === 'loop' ? 'loop' : 'library call'),
      html('td', {}, html('code', {}, opsOf(group, this.detail.show.records))),
      html('td', {class: 'number'}, group.kind === 'loop' ? bytes(group.saved_bytes) : ''),
      html('td', {class: 'line'}, group.records[0] ? group.records[0].site : '')), kMostRows);
    const notes = cappedTable(['why not more'], fusion.notes, note => html('tr', {}, html('td', {}, note)), 60);
    return html('div', {}, table.node, fusion.notes.length ? notes.node : null);
  }

  stages(code) {
    return html('div', {}, code.map(({stage, text, left_out}) =>
      fold(stage, left_out ? `the first ${bytes(text.length)} of ${bytes(text.length + left_out)}` : bytes(text.length),
        () => html('div', {}, html('pre', {}, text), left_out
          ? html('p', {class: 'muted'}, 'all of it: ', html('code', {}, `swage trace ir ${this.id} --stage=${stage}`)) : null))));
  }

  eventTable(events) {
    return cappedTable(['', 'at', 'event', 'in words', 'line'], events, event => html('tr', {},
      html('td', {class: 'muted'}, event.id), html('td', {class: 'number'}, time(event.ms * 1e3)), html('td', {}, event.event),
      html('td', {}, event.what, event.why ? html('div', {class: 'muted'}, event.why) : null),
      html('td', {class: 'line'}, event.site)), kMostRows).node;
  }

  // Hides what does not match; says how many ops do. Null shows all.
  filter(matches) {
    const here = !matches || matches(this.header);
    // Where the trace itself is meant, all its ops are.
    this.matches = matches && !here ? r => matches(this.texts[r.record]) : null;
    const n = this.matches ? this.detail.show.records.filter(this.matches).length : this.row.ops;
    this.node.hidden = n === 0 && !here;
    this.found.hidden = !matches || this.node.hidden;
    this.found.textContent = plural(n, 'op');
    if (this.ops) this.ops.filter(this.matches);
    return this.node.hidden ? 0 : n;
  }
}
