// Elements, and numbers in words. What comes from the log becomes text nodes and attributes only, never markup.
'use strict';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== ''));
  return node;
}

function html(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

// What is said while the pointer rests on a mark.
function hint(text) {
  return svg('title', {}, text);
}

const digits = (n, most) => n.toLocaleString('en-US', {maximumFractionDigits: most});
const count = n => digits(n, 0);
const three = n => digits(n, Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : 2);
const percent = share => digits(100 * share, 1) + ' %';

function time(us) {
  const size = Math.abs(us);
  if (us === 0) return '0';
  if (size < 1) return three(us * 1e3) + ' ns';
  if (size < 1e3) return three(us) + ' µs';
  if (size < 1e6) return three(us / 1e3) + ' ms';
  return three(us / 1e6) + ' s';
}

function bytes(n) {
  if (n < 1024) return count(n) + ' B';
  if (n < 1024 * 1024) return three(n / 1024) + ' KiB';
  return three(n / 1024 / 1024) + ' MiB';
}

const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + 's'}`;

// Round numbers from 0 to `most`, about `n` of them.
function ticks(most, n) {
  if (!(most > 0)) return [0];
  const rough = most / n, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough);
  const list = [];
  for (let i = 0; i * step <= most * (1 + 1e-9); ++i) list.push(i * step);
  return list;
}

// The same for bytes: round in the unit that they are told in.
function byteTicks(most, n) {
  const unit = most >= 1 << 20 ? 1 << 20 : most >= 1024 ? 1024 : 1;
  return ticks(most / unit, n).map(t => t * unit);
}

// Rows that the search box hides and shows: {node, text in small letters, kind}.
const searchables = [];
function searchable(node, kind, ...texts) {
  searchables.push({node, kind, text: texts.join('\n').toLowerCase()});
  return node;
}

// A table whose headings sort it. Columns: {title, hint, value: row → what is sorted by, cell: row → what is shown, numeric}.
function sortableTable(name, columns, rows, makeRow) {
  const body = html('tbody');
  const made = rows.map(row => {
    const node = makeRow(row, columns.map(c => html('td', {class: c.numeric ? 'number' : c.style}, c.cell(row))));
    body.append(node);
    return {row, node};
  });
  let sorted = null, direction = 1;
  const heads = columns.map(column => {
    const head = html('th', {class: column.numeric ? 'number' : null, title: column.hint, scope: 'col'});
    const sort = () => {
      direction = sorted === column ? -direction : column.numeric ? -1 : 1;
      sorted = column;
      heads.forEach(h => h.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
      const before = (a, b) => (a < b ? -direction : a > b ? direction : 0);
      made.sort((a, b) => before(column.value(a.row), column.value(b.row)));
      body.append(...made.map(m => m.node));
    };
    head.append(html('button', {type: 'button', onclick: sort}, column.title));
    return head;
  });
  return html('div', {class: 'wide'}, html('table', {id: name}, html('thead', {}, html('tr', {}, heads)), body));
}

// Many rows, of which the first are shown until somebody asks for all. filter(null) takes every one.
function cappedTable(heads, items, makeRow, most) {
  const body = html('tbody');
  const more = html('button', {type: 'button', class: 'more'});
  const node = html('div', {class: 'wide'},
    html('table', {}, html('thead', {}, html('tr', {}, heads.map(h => html('th', {scope: 'col'}, h)))), body), more);
  let chosen = items, all = false;
  const draw = () => {
    const shown = all ? chosen : chosen.slice(0, most);
    body.replaceChildren(...shown.map(makeRow));
    more.hidden = shown.length === chosen.length;
    more.textContent = `show all ${count(chosen.length)}`;
  };
  more.addEventListener('click', () => { all = true; draw(); });
  draw();
  return {node, filter: matches => { chosen = matches ? items.filter(matches) : items; draw(); }};
}
