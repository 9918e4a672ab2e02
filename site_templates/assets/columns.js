// Shards become one table of columns with the aliases v0…vk; rows are numbers, newest run first.
"use strict";
gitml.Columns = class {
  constructor() {
    this.rows = 0;
    this.all = [];
    this.index = new Map();
    this.aspects = new Map();  // id → min, max or best of a metric
    this.ends = new Map();     // "min\0rmse" → where a run's smallest or largest value is not its last one
    this.trends = new Map();   // metric → a text per run, a letter per point
    this.better = new Map();   // metric → min or max, where somebody said so in the page
    this.declared = new Map(); // the same, where the project says so
  }

  add(shard) {
    const from = this.rows;
    this.rows += shard.n;
    shard.columns.forEach(([kind, name], place) => {
      const column = this.index.get(`${kind}\0${name}`) || this.define(kind, name, from);
      for (const value of this.decode(shard.values[place])) column.values.push(value);
      column.raw = column.raw || "x" in shard.values[place];
    });
    for (const column of this.all) while (column.values.length < this.rows) column.values.push(null);
  }

  // Call after the shards that are to be shown are added.
  settle() {
    this.all.forEach(column => this.judge(column));
    this.aspects.forEach(column => this.fill(column));
  }

  define(kind, name, from) {
    const column = {id: `v${this.all.length}`, kind, name, values: new Array(from).fill(null), raw: false};
    column.toString = () => column.id;
    this.all.push(column);
    this.index.set(`${kind}\0${name}`, column);
    return column;
  }

  decode({x, t, d, i}) {
    if (x) return x.map(v => typeof v === "string" ? Number(v) : v);
    return t || i.map(k => k < 0 ? null : d[k]);
  }

  // A param is text, yet 0.1 sorts and draws as a number where most values are numbers: one None or "auto" is set apart.
  judge(column) {
    const text = !column.raw && column.kind !== "params";
    Object.assign(column, text ? {numbers: null, odd: []} : gitml.judged(column.values, column.raw), {say: null});
    const some = new Set();
    for (const v of column.values) if (v !== null && some.add(v).size > 60) break;
    column.distinct = some.size;
    column.label = column.kind === "attributes" ? ({run_name: "run", start_time: "started (UTC)", duration: "took",
      user_id: "by", run_id: "id"}[column.name] || column.name) : column.name.trim() || JSON.stringify(column.name);
  }

  // aspect: min, max or best instead of a metric's last value
  find(kind, name, aspect) {
    const column = this.index.get(`${kind}\0${name}`) || (kind === "attributes" && this.derive(name)), id = `${column?.id}:${aspect}`;
    if (!column || !aspect) return column || undefined;
    if (kind !== "metrics") return undefined;
    if (!this.aspects.has(id)) this.aspects.set(id, this.fill({...column, id, of: column, aspect, label: `${column.label} ${aspect}`, toString: () => id}));
    return this.aspects.get(id);
  }

  // Attributes that can be asked for, and follow from others.
  derive(name) {
    const [id, start, took] = ["run_id", "start_time", "duration"].map(word => this.index.get(`attributes\0${word}`)?.values);
    const value = {__proto__: null, end_time: row => took[row] === null ? null : start[row] + took[row], artifact_uri: row => `runs:/${id[row]}`, experiment_id: () => this.experiment}[name];
    if (!value || !id) return undefined;
    const values = Array.from({length: this.rows}, (_, row) => value(row));
    return {kind: "attributes", name, values, numbers: name === "end_time" ? values : null};
  }

  // Which way a metric is better: as somebody said, else as the project knows.
  way(column) { return this.better.get(column.name) || this.declared.get(column.name) || "max"; }

  prefer(columns) {
    this.better = new Map(columns.map(column => [column.name, column.aspect]));
    for (const column of this.aspects.values()) if (column.aspect === "best" && column.way !== this.way(column)) this.fill(column);
  }

  fill(column) {
    column.way = column.aspect === "best" ? this.way(column) : column.aspect;
    const other = this.ends.get(`${column.way}\0${column.name}`) || [];
    column.values = column.numbers = column.of.values.map((v, row) => other[row] ?? v);
    column.ranked = column.say = null;
    return column;
  }

  // A shard of smallest and largest values, for the rows from `from` on.
  extremes({columns, values}, from) {
    columns.forEach(([kind, name], place) => {
      const key = `${kind}\0${name}`, all = this.ends.get(key) || this.ends.set(key, []).get(key);
      this.decode(values[place]).forEach((v, row) => { if (v !== null) all[from + row] = v; });
    });
    this.aspects.forEach(column => this.fill(column));
  }

  // A shard of data sets, for the rows from `from` on: each cell lists what its run read. They are for the filter alone.
  inputs({columns, values}, from) {
    columns.forEach(([kind, name], place) => {
      const key = `${kind}\0${name}`, {values: all} = this.index.get(key) || this.index.set(key, {kind, name, values: []}).get(key);
      this.decode(values[place]).forEach((v, row) => { all[from + row] = v; });
    });
  }

  sparkle({columns, values}) { columns.forEach(([, name], place) => this.trends.set(name, this.decode(values[place]))); }

  // Sorts rows, given newest first, by [{column, down}, …], the first counts most. Missing values come last, whatever the
  // direction; equal ones keep newest first. Each pass counts ranks, so a pass costs no comparison.
  order(rows, keys) {
    let from = Uint32Array.from(rows);
    for (const {column, down} of [...keys].reverse()) {
      const {ranks, count} = this.rank(column), starts = new Uint32Array(count + 2), to = new Uint32Array(from.length);
      const place = row => ranks[row] === count ? count : down ? count - 1 - ranks[row] : ranks[row];
      for (const row of from) starts[place(row) + 1]++;
      for (let k = 1; k < starts.length; k++) starts[k] += starts[k - 1];
      for (const row of from) to[starts[place(row)]++] = row;
      from = to;
    }
    return from;
  }

  // The place of each row's value among the column's values; `count` of them differ, and that is the rank of a missing one.
  rank(column) {
    if (column.ranked?.ranks.length === this.rows) return column.ranked;
    const keys = column.numbers || column.values, ranks = new Uint32Array(this.rows);
    const found = [...new Set(keys)].filter(v => v !== null && v === v);
    const sorted = column.numbers ? Float64Array.from(found).sort() : found.sort(), spot = new Map();
    sorted.forEach((v, k) => spot.set(v, k));
    if (!column.raw) column.odd?.forEach(v => spot.set(v, spot.size));  // behind the numbers
    for (let row = 0; row < this.rows; row++) ranks[row] = spot.get(keys[row]) ?? spot.get(column.values[row]) ?? spot.size;
    return column.ranked = {ranks, count: spot.size};
  }
};
